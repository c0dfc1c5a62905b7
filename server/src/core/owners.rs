//! Accounts of our own: whose devices, resources and tasks are whose, and who comes with which
//! token. Of tokens and passwords only the SHA-256 is kept.

use std::collections::BTreeMap;

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{campaigns::Pace, devices::Registry, horde::Horde, iotaap::Iotaap, time::millis};
use crate::limits;

/// The account that every server has; devices that nobody was told of are its.
pub(crate) const DEFAULT: &str = "default";
/// The domain of an account that names none.
pub(crate) const DEFAULT_DOMAIN: &str = "/demo/";
/// Bytes of the key that signs tokens of logins.
const KEY_BYTES: usize = 32;
/// Letters of a name at the MQTT broker.
const MQTT_USER: usize = 12;

/// A token or password, as far as it is remembered: its SHA-256 in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Secret(String);

/// The faces that have tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Face {
    /// Coiote DM.
    Coiote,
    /// Horde.
    Horde,
    /// IoTaaP.
    Iotaap,
}

/// A program's account, as OAuth knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The realm it is in.
    pub(crate) realm: String,
    /// `client_id`
    pub(crate) id: String,
    /// `client_secret`
    pub(crate) secret: Secret,
}

/// An account of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    /// Tokens that never expire.
    pub(crate) tokens: BTreeMap<Face, Secret>,
    /// A person's name and password.
    pub(crate) person: Option<(String, Secret)>,
    /// A program's.
    pub(crate) program: Option<Program>,
    /// The domain of its devices, between slashes.
    pub(crate) domain: Option<String>,
    /// How many devices are updated at once.
    pub(crate) pace: Pace,
    /// Updates under way at once, of those that ask for a share of the quota.
    pub(crate) quota: Option<usize>,
    /// The id of its team at Horde.
    pub(crate) team: String,
    /// Tokens of Horde that open a part of it, or do not change anything.
    pub(crate) horde_tokens: Vec<HordeToken>,
    /// Who it is at IoTaaP; it logs in as its person.
    pub(crate) iotaap: User,
}

/// A token of Horde's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HordeToken {
    /// The token.
    pub(crate) token: Secret,
    /// Paths that it opens begin with this.
    pub(crate) resource: String,
    /// It may change things.
    pub(crate) write: bool,
}

/// A user of IoTaaP.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct User {
    /// Its id, 24 hexadecimal digits.
    pub(crate) id: String,
    /// Signs the tokens of logins; hexadecimal.
    pub(crate) key: String,
    /// What it pays for.
    pub(crate) model: Model,
    /// Its name at the MQTT broker, with which its topics begin.
    pub(crate) mqtt_user: String,
}

/// What a user of IoTaaP pays for (the contract of IoTaaP, B2).
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

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    owners: BTreeMap<String, Owner>,
    by_token: BTreeMap<(Face, Secret), String>,
    /// Tokens that were given for a password: whose, and until when.
    issued: BTreeMap<Secret, (String, UnixMillis)>,
}

/// There are too many, or another one has this token or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are too many accounts, or another one has this token or user name")]
pub(crate) struct Taken;

impl Secret {
    /// What is remembered of a token or password.
    pub(crate) fn of(text: &str) -> Self {
        let digest = Sha256::digest(text);
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
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

/// Without the key.
impl std::fmt::Debug for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("User")
            .field("id", &self.id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Nothing of it.
impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

impl Owner {
    /// A token that nobody can guess who does not know `secret`.
    pub(crate) fn draw_token(face: Face, secret: &str) -> String {
        let digest = Sha256::new()
            .chain_update(format!("{face:?} token"))
            .chain_update(secret)
            .finalize();
        let hex = digest.iter().map(|byte| format!("{byte:02x}"));
        hex.take(16).collect()
    }

    /// Draws what it has at Horde and IoTaaP, unless it has that already.
    pub(crate) fn complete(&mut self, now: UnixMillis, horde: &mut Horde, iotaap: &mut Iotaap) {
        if self.team.is_empty() {
            self.team = horde.draw_id(now);
        }
        let user = &mut self.iotaap;
        if user.id.is_empty() {
            user.id = iotaap.ids().draw(now);
            user.key = iotaap.ids().hex(KEY_BYTES);
            user.mqtt_user = iotaap.ids().secret(MQTT_USER);
        }
    }

    /// All its tokens, each with its face.
    fn all_tokens(&self) -> impl Iterator<Item = (Face, &Secret)> {
        let tokens = self.tokens.iter().map(|(face, token)| (*face, token));
        let more = self.horde_tokens.iter();
        tokens.chain(more.map(|it| (Face::Horde, &it.token)))
    }

    /// The domain of its devices.
    pub(crate) fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(DEFAULT_DOMAIN)
    }

    /// Updates under way at once, of those that ask for a share of the quota.
    pub(crate) fn quota(&self) -> usize {
        self.quota.unwrap_or(limits::QUOTA)
    }
}

impl Owners {
    /// Adds or replaces an account; tokens that were issued to it before are void.
    pub(crate) fn put(&mut self, name: &str, owner: Owner) -> Result<(), Taken> {
        let others = || self.owners.iter().filter(|(it, _)| *it != name);
        let clashes = others().any(|(_, other)| {
            let same_token = |mine| other.all_tokens().any(|its| its == mine);
            let same_person = other.person.as_ref().map(|it| &it.0);
            let same_program = |it: &Program| Some((&it.realm, &it.id)) == other.program_name();
            owner.all_tokens().any(same_token)
                || owner
                    .person
                    .as_ref()
                    .is_some_and(|it| Some(&it.0) == same_person)
                || owner.program.as_ref().is_some_and(same_program)
        });
        if clashes || others().count() >= limits::MAX_ACCOUNTS {
            return Err(Taken);
        }
        self.by_token.retain(|_, it| it != name);
        self.issued.retain(|_, (it, _)| it != name);
        for (face, token) in owner.all_tokens() {
            self.by_token.insert((face, token.clone()), name.to_owned());
        }
        self.owners.insert(name.to_owned(), owner);
        Ok(())
    }

    /// One account.
    pub(crate) fn get(&self, name: &str) -> Option<&Owner> {
        self.owners.get(name)
    }

    /// Who comes with a token. Looked up by its hash, so how long that takes tells nothing.
    pub(crate) fn of_token(&self, now: UnixMillis, face: Face, token: &str) -> Option<&str> {
        let secret = Secret::of(token);
        if let Some((name, until)) = self.issued.get(&secret) {
            return (face == Face::Coiote && *until > now).then_some(name);
        }
        self.by_token.get(&(face, secret)).map(String::as_str)
    }

    /// What a token of Horde opens, and whether it may change things there.
    pub(crate) fn of_horde_token(&self, token: &str) -> Option<(&str, &str, bool)> {
        let secret = Secret::of(token);
        let name = self.by_token.get(&(Face::Horde, secret.clone()))?;
        let tokens = &self.owners.get(name)?.horde_tokens;
        let limited = tokens.iter().find(|it| it.token == secret);
        let (resource, write) = limited.map_or(("/", true), |it| (&it.resource, it.write));
        Some((name, resource, write))
    }

    /// The account of the user of IoTaaP with this id.
    pub(crate) fn of_user(&self, id: &str) -> Option<(&str, &Owner)> {
        let mut all = self.owners.iter();
        let found = all.find(|(_, it)| it.iotaap.id == id)?;
        Some((found.0, found.1))
    }

    /// Who has this user name and password.
    pub(crate) fn of_person(&self, user: &str, password: &str) -> Option<&str> {
        let said = (user.to_owned(), Secret::of(password));
        let mut all = self.owners.iter();
        all.find(|(_, it)| it.person.as_ref() == Some(&said))
            .map(|(name, _)| name.as_str())
    }

    /// Whose program this is.
    pub(crate) fn of_program(&self, realm: &str, id: &str, secret: &str) -> Option<&str> {
        let said = Program {
            realm: realm.to_owned(),
            id: id.to_owned(),
            secret: Secret::of(secret),
        };
        let mut all = self.owners.iter();
        all.find(|(_, it)| it.program.as_ref() == Some(&said))
            .map(|(name, _)| name.as_str())
    }

    /// Remembers a token that is given to an account, for [`limits::ISSUED_TOKEN`].
    pub(crate) fn issue(&mut self, now: UnixMillis, name: &str, token: &str) {
        self.issued.retain(|_, (_, until)| *until > now);
        while self.issued.len() >= limits::MAX_ISSUED_TOKENS {
            let soonest = self.issued.iter().min_by_key(|(_, (_, until))| *until);
            let Some(soonest) = soonest.map(|(secret, _)| secret.clone()) else {
                break;
            };
            self.issued.remove(&soonest);
        }
        let until = now + millis(limits::ISSUED_TOKEN);
        self.issued
            .insert(Secret::of(token), (name.to_owned(), until));
    }

    /// Makes an issued token void.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        self.issued.remove(&Secret::of(token)).is_some()
    }

    /// Whose a device is.
    pub(crate) fn of_device<'a>(&'a self, registry: &'a Registry, device: &str) -> Option<&'a str> {
        let account = registry.device(device)?.identity.account.as_deref();
        let own = account.filter(|it| self.owners.contains_key(*it));
        Some(own.unwrap_or(DEFAULT))
    }
}

impl Owner {
    fn program_name(&self) -> Option<(&String, &String)> {
        self.program.as_ref().map(|it| (&it.realm, &it.id))
    }
}

/// Compares in a time that does not depend on where two texts differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(token: &str) -> Owner {
        Owner {
            tokens: BTreeMap::from([(Face::Coiote, Secret::of(token))]),
            person: Some((format!("{token}@x"), Secret::of("pw"))),
            ..Owner::default()
        }
    }

    #[test]
    fn a_token_belongs_to_one_account_and_one_face() {
        let mut owners = Owners::default();
        assert_eq!(owners.put("a", owner("t")), Ok(()));
        assert_eq!(owners.put("b", owner("t")), Err(Taken));
        assert_eq!(owners.put("b", owner("u")), Ok(()));
        assert_eq!(owners.of_token(0, Face::Coiote, "t"), Some("a"));
        assert_eq!(owners.of_token(0, Face::Horde, "t"), None);
        assert_eq!(owners.of_person("u@x", "pw"), Some("b"));
        assert_eq!(owners.of_person("u@x", "no"), None);
        assert_eq!(owners.put("a", owner("v")), Ok(()));
        assert_eq!(owners.of_token(0, Face::Coiote, "t"), None);
    }

    #[test]
    fn an_issued_token_ends() {
        let mut owners = Owners::default();
        assert_eq!(owners.put("a", owner("t")), Ok(()));
        owners.issue(0, "a", "i");
        let end = millis(limits::ISSUED_TOKEN);
        assert_eq!(owners.of_token(end - 1, Face::Coiote, "i"), Some("a"));
        assert_eq!(owners.of_token(end, Face::Coiote, "i"), None);
        owners.issue(end, "a", "j");
        assert!(owners.revoke("j"));
        assert_eq!(owners.of_token(end, Face::Coiote, "j"), None);
        for at in 0..=limits::MAX_ISSUED_TOKENS {
            owners.issue(end, "a", &at.to_string());
        }
        assert!(owners.issued.len() <= limits::MAX_ISSUED_TOKENS);
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?} {:?}", owner("t"), Secret::of("t"));
        assert!(!shown.contains(&Secret::of("t").0), "{shown}");
    }
}
