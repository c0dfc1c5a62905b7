//! Accounts of our own: whose token it is that asks a vendor's face.

use std::collections::BTreeMap;

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{horde::Horde, iotaap::Iotaap};
use crate::limits;

/// The account that a server has from the start.
pub(crate) const DEFAULT: &str = "default";
/// Bytes of the key that signs tokens of logins.
const SECRET_BYTES: usize = 32;
/// Letters of a name at the MQTT broker.
const MQTT_USER: usize = 12;

/// An account of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Owner {
    /// Its name, by which all that belongs to it is found.
    pub(crate) name: String,
    /// The id of its team at Horde.
    pub(crate) team: String,
    /// Its tokens at Horde.
    pub(crate) horde_tokens: Vec<HordeToken>,
    /// Who it is at IoTaaP.
    pub(crate) iotaap: User,
}

/// A token of Horde's API.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HordeToken {
    /// The secret.
    pub(crate) token: String,
    /// Paths that it opens begin with this.
    #[serde(default = "root")]
    pub(crate) resource: String,
    /// It may change things.
    #[serde(default = "yes")]
    pub(crate) write: bool,
}

/// A user of IoTaaP.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct User {
    /// Its id, 24 hexadecimal digits.
    pub(crate) id: String,
    /// For login.
    pub(crate) email: Option<String>,
    /// For login.
    pub(crate) password: Option<String>,
    /// A bearer token that needs no login.
    pub(crate) token: Option<String>,
    /// Signs the tokens of logins; hexadecimal.
    pub(crate) secret: String,
    /// What it pays for.
    pub(crate) model: Model,
    /// Its name at the MQTT broker, with which its topics begin.
    pub(crate) mqtt_user: String,
}

/// What a user of IoTaaP pays for (contract B2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Model {
    /// 2 devices, and no groups.
    Free,
    /// 10 devices.
    Solo,
    /// 50 devices.
    Startup,
    /// As many as there is room for.
    #[default]
    Unlimited,
}

/// All accounts of our own.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    owners: BTreeMap<String, Owner>,
}

/// Why an account was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Another account has one of its tokens.
    #[error("another account has one of its tokens")]
    TokenTaken,
    /// Another account has its email.
    #[error("another account has its email")]
    EmailTaken,
    /// There are too many.
    #[error("there are too many")]
    Full,
}

impl Owner {
    /// Draws what it needs and was not given.
    pub(crate) fn complete(&mut self, now: UnixMillis, horde: &mut Horde, iotaap: &mut Iotaap) {
        if self.team.is_empty() {
            self.team = horde.draw_id(now);
        }
        let user = &mut self.iotaap;
        if user.id.is_empty() {
            user.id = iotaap.ids().draw(now);
            user.secret = iotaap.ids().hex(SECRET_BYTES);
            user.mqtt_user = iotaap.ids().secret(MQTT_USER);
        }
    }
}

impl Model {
    /// Devices that it allows.
    pub(crate) fn devices(self) -> usize {
        match self {
            Self::Free => 2,
            Self::Solo => 10,
            Self::Startup => 50,
            Self::Unlimited => limits::MAX_DEVICES,
        }
    }

    /// It has groups.
    pub(crate) fn has_groups(self) -> bool {
        self != Self::Free
    }
}

impl Owners {
    /// Adds an account, or replaces it.
    pub(crate) fn put(&mut self, owner: Owner) -> Result<(), NotTaken> {
        let others = || self.owners.values().filter(|it| it.name != owner.name);
        if others().count() >= limits::MAX_OWNERS {
            return Err(NotTaken::Full);
        }
        let email = owner.iotaap.email.as_ref();
        for other in others() {
            let same = |mine: &HordeToken| other.horde_tokens.iter().any(|it| it.token == mine.token);
            let bearer = owner.iotaap.token.as_ref();
            if owner.horde_tokens.iter().any(same)
                || bearer.is_some_and(|it| other.iotaap.token.as_ref() == Some(it))
            {
                return Err(NotTaken::TokenTaken);
            }
            if email.is_some_and(|it| other.iotaap.email.as_ref() == Some(it)) {
                return Err(NotTaken::EmailTaken);
            }
        }
        self.owners.insert(owner.name.clone(), owner);
        Ok(())
    }

    /// One account.
    pub(crate) fn get(&self, name: &str) -> Option<&Owner> {
        self.owners.get(name)
    }

    /// Whose Horde token it is, and what it opens.
    pub(crate) fn by_horde_token(&self, token: &[u8]) -> Option<(&Owner, &HordeToken)> {
        self.owners.values().find_map(|owner| {
            let mut tokens = owner.horde_tokens.iter();
            let found = tokens.find(|it| same(it.token.as_bytes(), token));
            found.map(|it| (owner, it))
        })
    }

    /// Whose bearer token of IoTaaP it is.
    pub(crate) fn by_iotaap_token(&self, token: &str) -> Option<&Owner> {
        self.owners.values().find(|owner| {
            let own = owner.iotaap.token.as_deref();
            own.is_some_and(|it| same(it.as_bytes(), token.as_bytes()))
        })
    }

    /// The user with this id.
    pub(crate) fn by_user_id(&self, id: &str) -> Option<&Owner> {
        self.owners.values().find(|it| it.iotaap.id == id)
    }

    /// The user with this name at the broker.
    pub(crate) fn by_mqtt_user(&self, user: &str) -> Option<&Owner> {
        self.owners.values().find(|it| it.iotaap.mqtt_user == user)
    }

    /// Who logs in with this.
    pub(crate) fn by_login(&self, email: &str, password: &str) -> Option<&Owner> {
        self.owners.values().find(|owner| {
            let User {
                email: own,
                password: secret,
                ..
            } = &owner.iotaap;
            own.as_deref() == Some(email)
                && secret
                    .as_ref()
                    .is_some_and(|it| same(it.as_bytes(), password.as_bytes()))
        })
    }
}

/// Compares in a time that does not depend on where two texts differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && difference == 0
}

impl HordeToken {
    /// One that opens all.
    pub(crate) fn over_all(token: String) -> Self {
        Self {
            token,
            resource: root(),
            write: true,
        }
    }
}

/// Without the secret.
impl std::fmt::Debug for HordeToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HordeToken")
            .field("resource", &self.resource)
            .field("write", &self.write)
            .finish_non_exhaustive()
    }
}

/// Without secrets.
impl std::fmt::Debug for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("User")
            .field("id", &self.id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

fn root() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}
