//! The FOTA server of fotalab.
