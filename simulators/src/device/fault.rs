//! What a device does wrong, in words: "out of flash at 60 %" (contract 5.2).

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::limits;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $words:literal $($before:literal $amount:literal $after:literal)?, $times:ident;)*) => {
        /// One thing that a device can do wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn spelling(self) -> Spelling {
                match self {
                    $(Self::$name => Spelling {
                        words: $words,
                        amount: [$(($before, $amount, $after))?].first().copied(),
                        times: Times::$times,
                    },)*
                }
            }
        }
    };
}

faults! {
    /// Result 2 when so much of the package has come.
    OutOfFlash = "out of flash" "at" 60 "%", Always;
    /// Result 3 when so much of the package has come.
    OutOfMemory = "out of memory" "at" 60 "%", Always;
    /// A wrong byte gets into flash: result 5.
    CorruptsFlash = "corrupts its flash" "at" 50 "%", Always;
    /// Result 6 when the first bytes have come.
    RejectsPackageType = "rejects the package type", Always;
    /// The radio is gone for the rest of a pull: result 4 when its retries are used up.
    LosesConnection = "loses the connection" "at" 50 "%", Always;
    /// Restarts in the middle of a download.
    LosesPowerWhileDownloading = "loses power while downloading" "at" 50 "%", Once;
    /// Restarts so long after it reached state 2.
    LosesPowerWhenDownloaded = "loses power when downloaded" "after" 1 "s", Once;
    /// Restarts while it installs, and installs again.
    LosesPowerWhileUpdating = "loses power while updating", Once;
    /// Nobody hears the 2.04 of Execute.
    LosesExecuteAcknowledgement = "loses the Execute acknowledgement", Once;
    /// A slot takes long to erase: the answer to the first block is late.
    SlowErase = "slow erase before the first block" "of" 20 "s", Always;
    /// Result 1, and /3/0/3 as before.
    ReportsOldVersion = "reports the old version after success", Always;
    /// Runs the new version, but state and result are 0 and 0.
    ForgetsResult = "forgets the result over the reboot", Always;
    /// The installer refuses: result 8.
    FailsToInstall = "fails to install", Always;
    /// Only the installer checks the bytes: result 5 after Execute.
    FindsCorruptionAtInstall = "finds the corruption only at install", Always;
    /// Only the installer compares the sizes: result 8 after Execute.
    FindsOversizeAtInstall = "notices only at install that the image is too big", Always;
    /// Bricked.
    NeverComesBack = "never comes back from the update", Once;
    /// The bootloader goes back to the old image: result 8.
    RollsBack = "rolls back", Always;
    /// Reports success, and some time later it runs the old image again.
    RollsBackSilently = "rolls back silently" "after" 300 "s", Always;
    /// Starts, registers, and restarts so many times before it stays.
    BootLoops = "boot loops" "of" 3 "starts", Once;
    /// De-registers before it installs, which is legal.
    DeregistersBeforeUpdate = "deregisters before the update", Always;
    /// Notifications of /5/0/3 and /5/0/5 never leave.
    LosesStateNotifications = "loses the notifications of its state", Always;
    /// Goes silent when a registration update gets 4.04.
    DoesNotReregister = "does not register again after 4.04", Always;
    /// Sends its registration update so long after the lifetime has ended.
    UpdatesTooLate = "updates its registration too late" "by" 120 "s", Always;
    /// The registration update after a write of the lifetime does not say it.
    OmitsLifetime = "omits the lifetime from its registration update", Always;
    /// Takes no block any more, and says nothing, until somebody begins anew or its watchdog (see
    /// `Persona`) gives the download up.
    Stalls = "stalls" "at" 50 "%", Once;
    /// 4.08 to a block of a push.
    ForgetsBlocks = "forgets the blocks it has" "at" 50 "%", Once;
    /// 5.03 to a block of a push.
    IsBusy = "is busy" "at" 50 "%", Once;
    /// Reset to a block of a push.
    RejectsBlock = "rejects a block with a reset" "at" 50 "%", Once;
    /// 4.13 to a package above so many bytes, though there is room.
    RefusesLargePackages = "refuses packages" "above" 1024 "bytes", Always;
    /// Goes on at a wrong place after a cut: result 5.
    ResumesWrong = "resumes at the wrong offset", Once;
    /// Stays in state 1 for ever when the connection is lost.
    HangsOnConnectionLoss = "hangs when the connection is lost", Always;
    /// State 2 although the download failed; the update then fails with result 8.
    ClaimsDownloaded = "reports downloaded after a failed download", Always;
    /// A failed update makes the next ones fail until the next start.
    StuckUntilReboot = "stuck after a failed update until it reboots", Always;
    /// 4.00 to Execute of /5/0/2, whatever the state.
    RefusesExecute = "refuses to execute the update", Always;
    /// Its user puts the update off: result 11 (object 1.1).
    DefersUpdate = "defers the update" "by" 600 "s", Once;
    /// 2.04 without effect where a second URI should get 4.00, as Zephyr does.
    IgnoresSecondUri = "ignores a second package URI", Always;
    /// 2.04 to an unsupported scheme, with result 9, as Zephyr does.
    AcceptsUnsupportedScheme = "accepts an unsupported scheme", Always;
    /// Says yes to a URI and never fetches.
    NeverFetches = "never fetches the package", Always;
    /// Has a foreign image in state 2 from the start.
    StartsDownloaded = "starts with a foreign image downloaded", Once;
    /// Takes a first block that is sent again for another one: what it flashes has it twice.
    WritesFirstBlockTwice = "writes a repeated first block twice", Always;
    /// 4.08 to a block that is sent again, since its answer was late or lost.
    RejectsRepeatedBlock = "rejects a block that is sent again", Always;
    /// 4.08 to a block 0 in the middle of a push: only a reset lets it begin anew.
    KeepsOldPush = "does not let a push begin anew", Always;
    /// 4.13 to a first block above so many bytes, as RFC 7959 2.9.3 has it.
    AsksForSmallerBlocks = "asks for smaller blocks by 4.13" "of" 256 "bytes", Always;
    /// Asks for smaller blocks in its first answer, and then counts them wrong: 4.08.
    MiscountsBlocks = "counts blocks wrong after it asked for smaller ones" "of" 256 "bytes", Once;
    /// Its pull sends each request so many times, each with a message id of its own.
    AsksManyTimes = "asks for each block" "in" 3 "copies", Always;
    /// Takes a server that refuses it so many times for a bad update: result 8.
    RollsBackUnregistered = "rolls back when it cannot register" "after" 3 "tries", Always;
    /// 2.04 to Cancel, and then it installs all the same.
    InstallsAfterCancel = "installs although it was cancelled", Once;
    /// Is in state 3 at the start, and installs for so long.
    StartsUpdating = "starts in the middle of an update" "of" 60 "s", Once;
}

/// How a fault is written.
struct Spelling {
    words: &'static str,
    /// What stands before its number, the number where none is given, and what stands behind.
    amount: Option<(&'static str, u32, &'static str)>,
    times: Times,
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The first time only.
    Once,
    /// The first so many times.
    First(u32),
    /// Every time.
    Always,
}

/// A fault with its number and how often it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Percent, seconds, bytes or a count, as the fault's words say; 0 for those without.
    pub amount: u32,
    /// How often.
    pub times: Times,
}

/// The faults of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    strikes: BTreeMap<Fault, Strike>,
}

/// A text that names no fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no fault is called `{text}`; did you mean `{nearest}`?")]
pub struct UnknownFault {
    /// What was read, shortened.
    pub text: String,
    /// The nearest one.
    pub nearest: String,
}

impl Faults {
    /// Reads faults in words, as `out of flash at 60 %` or `stalls, 2 times`.
    pub fn read<T: AsRef<str>>(texts: &[T]) -> Result<Self, UnknownFault> {
        let mut faults = Self::default();
        for text in texts {
            faults.add(text.as_ref())?;
        }
        Ok(faults)
    }

    /// Adds one in words.
    pub fn add(&mut self, text: &str) -> Result<(), UnknownFault> {
        let (fault, strike) = parse(text)?;
        self.strikes.insert(fault, strike);
        Ok(())
    }

    /// With this one, as often and as much as it is by default.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.strikes.insert(fault, fault.usual());
        self
    }

    /// Takes all of `others` too; theirs count where both have one.
    pub fn extend(&mut self, others: &Self) {
        self.strikes.extend(&others.strikes);
    }

    /// Whether it is there, and how.
    #[must_use]
    pub fn get(&self, fault: Fault) -> Option<Strike> {
        self.strikes.get(&fault).copied()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strikes.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, Strike)> {
        self.strikes.iter().map(|(fault, strike)| (*fault, *strike))
    }
}

impl Fault {
    /// Its words, without a number.
    #[must_use]
    pub fn words(self) -> &'static str {
        self.spelling().words
    }

    /// As `Faults::read` takes it, with this number.
    #[must_use]
    pub fn with_amount(self, amount: u32) -> String {
        let Spelling {
            words,
            amount: usual,
            ..
        } = self.spelling();
        match usual {
            Some((before, _, after)) => format!("{words} {before} {amount} {after}"),
            None => words.to_owned(),
        }
    }

    /// Its number and frequency where a text does not say them.
    #[must_use]
    pub fn usual(self) -> Strike {
        let Spelling { amount, times, .. } = self.spelling();
        Strike {
            amount: amount.map_or(0, |(_, amount, _)| amount),
            times,
        }
    }
}

/// As `Faults::read` takes it, with its usual number.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_amount(self.usual().amount))
    }
}

fn parse(text: &str) -> Result<(Fault, Strike), UnknownFault> {
    let text = text.trim();
    let (what, times) = match text.rsplit_once(',') {
        Some((what, often)) => (what.trim_end(), often_of(often.trim())),
        None => (text, None),
    };
    let (what, times) = match times {
        Some(times) => (what, Some(times)),
        None => (text, None),
    };
    let found = Fault::ALL
        .iter()
        .find_map(|&fault| Some((fault, amount_of(fault, what)?)));
    let Some((fault, amount)) = found else {
        return Err(unknown(text));
    };
    let times = times.unwrap_or(fault.usual().times);
    Ok((fault, Strike { amount, times }))
}

/// `once`, `every time`, `3 times`.
fn often_of(text: &str) -> Option<Times> {
    match text {
        "once" => Some(Times::Once),
        "every time" => Some(Times::Always),
        _ => text
            .strip_suffix("times")
            .and_then(|count| count.trim().parse().ok())
            .map(Times::First),
    }
}

/// The number of `text` if it is this fault.
fn amount_of(fault: Fault, text: &str) -> Option<u32> {
    let rest = text.strip_prefix(fault.words())?.trim();
    let usual = fault.usual().amount;
    if rest.is_empty() {
        return Some(usual);
    }
    let (before, _, after) = fault.spelling().amount?;
    let number = rest.strip_prefix(before)?.trim();
    let number = number.strip_suffix(after).unwrap_or(number).trim();
    let amount: u32 = number.parse().ok()?;
    (after != "%" || amount <= 100).then_some(amount)
}

fn unknown(text: &str) -> UnknownFault {
    let text: String = text.chars().take(limits::FAULT_TEXT).collect();
    let closeness = |fault: &&Fault| {
        let by_words = strsim::jaro_winkler(&text, fault.words());
        let whole = strsim::jaro_winkler(&text, &fault.to_string());
        (by_words.max(whole) * 1_000.0) as u32
    };
    let nearest = Fault::ALL.iter().max_by_key(closeness);
    UnknownFault {
        nearest: nearest.map(Fault::to_string).unwrap_or_default(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_from_its_own_words() {
        assert!(Fault::ALL.len() >= 25);
        for fault in Fault::ALL {
            for text in [fault.to_string(), fault.words().to_owned()] {
                let faults = Faults::read(&[&text]).expect(&text);
                assert_eq!(faults.get(*fault), Some(fault.usual()), "{text}");
            }
        }
    }

    #[test]
    fn numbers_and_frequencies_are_read() {
        let faults = Faults::read(&[
            "out of flash at 85 %",
            "rolls back silently after 20 s",
            "stalls at 10 %, 2 times",
            "loses power while downloading, every time",
        ]);
        let faults = faults.expect("good");
        let of = |fault| faults.get(fault).expect("there");
        assert_eq!(of(Fault::OutOfFlash).amount, 85);
        assert_eq!(of(Fault::RollsBackSilently).amount, 20);
        assert_eq!(faults.get(Fault::RollsBack), None);
        assert_eq!(of(Fault::Stalls).times, Times::First(2));
        assert_eq!(
            of(Fault::LosesPowerWhileDownloading),
            Strike {
                amount: 50,
                times: Times::Always
            }
        );
    }

    #[test]
    fn a_mistake_gets_the_nearest_name() {
        let error = Faults::read(&["out of flsh at 60 %"]).unwrap_err();
        assert_eq!(error.nearest, "out of flash at 60 %");
        for wrong in [
            "out of flash at 101 %",
            "stalls at",
            "",
            "stalls, sometimes",
        ] {
            assert!(Faults::read(&[wrong]).is_err(), "{wrong}");
        }
    }
}
