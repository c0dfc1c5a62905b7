//! Devices: made, changed and deleted (contract 2.1).

use fotalab_wire::net::UnixMillis;
use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, created, done, input, input::Fields};
use crate::{
    air,
    core::{
        devices::{Identity, NotTaken},
        groups,
        inventory::Record,
        keys,
        owners::DEFAULT,
    },
    limits, remember,
    server::{Server, State},
    store::Kind,
};

/// Longest endpoint name that is made here, in characters (contract 1).
const LONGEST_ENDPOINT: usize = 150;
/// Kept as they came, in case that the device never says better.
const HERITAGE: &[&str] = &[
    "serialNumber",
    "oui",
    "modelName",
    "hardwareVersion",
    "productClass",
    "manufacturer",
];
const SECURITY: &[&str] = &["psk", "cert", "rpk", "nosec", "unknown", "notset"];

impl Asked<'_> {
    /// `POST /devices`
    pub(super) async fn create_device(
        &self,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let body = input::json(self.server, request).await?;
        let fields = Fields::of(&body, "device")?;
        let mut record = Record {
            known: true,
            ..Record::default()
        };
        let provided = &mut record.provided;
        let mut properties = fields.pairs("properties")?;
        let endpoint = properties
            .iter()
            .position(|(name, _)| name == "endpointName");
        let endpoint = endpoint.map(|at| properties.remove(at).1);
        let id = match (fields.text("id")?, endpoint) {
            (Some(id), _) => id.to_owned(),
            (None, Some(endpoint)) => endpoint,
            (None, None) => {
                let needed = "device.id or device.properties.endpointName is needed";
                return Err(Refusal::malformed(needed));
            }
        };
        let fits = (1..=LONGEST_ENDPOINT).contains(&id.chars().count());
        if !fits || id.chars().any(char::is_control) {
            let most = LONGEST_ENDPOINT;
            return Err(Refusal::malformed(format!(
                "device.id has 1 to {most} characters"
            )));
        }
        provided.properties = properties.into_iter().collect();
        provided.domain = Some(self.domain(fields.needed("domain")?)?);
        let connectors = ["management", "bootstrap"];
        provided.connector = fields
            .one_of("connectorType", &connectors)?
            .map(str::to_owned);
        let security = fields.one_of("securityMode", SECURITY)?.map(str::to_owned);
        for (name, given) in [
            ("connectorType", provided.connector.is_some()),
            ("securityMode", security.is_some()),
        ] {
            if !given {
                return Err(fields.wrong(name, "needed"));
            }
        }
        provided.security_mode = security;
        provided.bootstrap = fields.truth("bootstrap")?.unwrap_or_default();
        provided.blacklisted = fields.truth("blacklisted")?.unwrap_or_default();
        provided.managed = fields.truth("managementEnabled")?;
        provided.description = fields.text("description")?.map(str::to_owned);
        provided.friendly_name = fields.text("friendlyName")?.map(str::to_owned);
        provided.dtls_identity = fields.text("dtlsIdentity")?.map(str::to_owned);
        for name in HERITAGE {
            if let Some(text) = fields.text(name)? {
                let kept = text.to_owned();
                provided.heritage.insert((*name).to_owned(), kept);
            }
        }
        let groups = group_ids(&fields, "directGroups")?;
        let psk = psk(&fields)?;
        let identity = Identity {
            account: (self.owner != DEFAULT).then(|| self.owner.clone()),
            psk_identity: provided
                .dtls_identity
                .clone()
                .filter(|it| psk.is_some() && *it != id),
            psk,
            groups,
            ..Identity::default()
        };
        self.server.change(|state, now| {
            if state.registry.device(&id).is_some() {
                return Err(Refusal::conflict("There is a device with this id already"));
            }
            take_identity(self.server, state, now, &id, identity)?;
            let kept = state.inventory.edit(now, &id);
            kept.provided = record.provided;
            kept.known = true;
            created(json!({"id": id, "result": "Device created"}))
        })
    }

    /// `PUT /devices/{id}`: what is `null` or not there stays. The only way into a group.
    pub(super) async fn update_device(
        &self,
        id: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let body = input::json(self.server, request).await?;
        let fields = Fields::of(&body, "update")?;
        let added = fields.pairs("addProperties")?;
        let removed = fields.texts("removeProperties")?;
        let joined = group_ids(&fields, "addGroups")?;
        let left = group_ids(&fields, "removeGroups")?;
        let blacklisted = fields.truth("blacklisted")?;
        let managed = fields.truth("managementEnabled")?;
        let security = fields.one_of("securityMode", SECURITY)?;
        let [description, friendly, dtls_identity] =
            ["description", "friendlyName", "dtlsIdentity"].map(|name| fields.text(name));
        let (description, friendly) = (description?, friendly?);
        let dtls_identity = dtls_identity?;
        let psk = psk(&fields)?;
        self.server.change(|state, now| {
            self.own_device(state, id)?;
            let device = state.registry.device(id);
            let mut identity = device.map(|it| it.identity.clone()).unwrap_or_default();
            identity.groups.retain(|it| !left.contains(it));
            for group in joined {
                if !identity.groups.contains(&group) {
                    identity.groups.push(group);
                }
            }
            if identity.groups.len() > limits::MAX_GROUPS {
                let most = limits::MAX_GROUPS;
                return Err(Refusal::malformed(format!(
                    "A device is in {most} groups at most"
                )));
            }
            identity.psk = psk.or(identity.psk);
            if let Some(named) = dtls_identity {
                identity.psk_identity = Some(named.to_owned()).filter(|it| it != id);
            }
            identity.psk_identity = identity.psk_identity.filter(|_| identity.psk.is_some());
            take_identity(self.server, state, now, id, identity)?;
            let provided = &mut state.inventory.edit(now, id).provided;
            provided
                .properties
                .retain(|name, _| !removed.contains(name));
            provided.properties.extend(added);
            provided.blacklisted = blacklisted.unwrap_or(provided.blacklisted);
            provided.managed = managed.or(provided.managed);
            for (field, value) in [
                (&mut provided.security_mode, security),
                (&mut provided.description, description),
                (&mut provided.friendly_name, friendly),
                (&mut provided.dtls_identity, dtls_identity),
            ] {
                if let Some(value) = value {
                    *field = Some(value.to_owned());
                }
            }
            for group in &left {
                state.tasks.left_group(now, &self.owner, group, id);
            }
            done()
        })
    }

    /// `DELETE /devices/{id}`: with all that was still to be done on it.
    pub(super) fn delete_device(&self, id: &str) -> Result<Answer, Refusal> {
        self.server.change(|state, now| {
            self.own_device(state, id)?;
            state.tasks.deleted(now, id);
            state.inventory.remove(id);
            // Its key is void first.
            let forgotten = air::put_device(state, now, id, Identity::default());
            state.registry.remove_device(id);
            for kind in [Kind::Device, Kind::Shadow] {
                self.server.store.remove(kind, id);
            }
            forgotten.map_err(|why| not_taken(&why))?;
            done()
        })
    }

    /// A domain of this account's: between slashes, and below its own if that is set.
    pub(super) fn domain(&self, text: &str) -> Result<String, Refusal> {
        let good = text.len() > 1 && text.starts_with('/') && text.ends_with('/');
        if !good || text.contains("//") {
            return Err(Refusal::malformed(
                "domain is a path between slashes, like /demo/",
            ));
        }
        let state = self.server.state();
        let own = state
            .owners
            .get(&self.owner)
            .and_then(|it| it.domain.clone());
        if own.is_some_and(|own| !text.starts_with(&own)) {
            return Err(Refusal::forbidden("This domain is not this account's"));
        }
        Ok(text.to_owned())
    }
}

/// Gives a device its identity, and remembers it.
fn take_identity(
    server: &Server,
    state: &mut State,
    now: UnixMillis,
    id: &str,
    identity: Identity,
) -> Result<(), Refusal> {
    air::put_device(state, now, id, identity).map_err(|why| not_taken(&why))?;
    remember::device(&*server.store, state, id);
    Ok(())
}

fn not_taken(why: &NotTaken) -> Refusal {
    match why {
        // Duplicate identities are 400 (contract 1).
        NotTaken::IdentityTaken => Refusal::malformed("Another device has this dtlsIdentity"),
        NotTaken::AddressTaken => Refusal::conflict("Another device has this address"),
        NotTaken::FingerprintTaken => Refusal::conflict("Another device has this fingerprint"),
        NotTaken::Full => Refusal::too_many("There are too many devices"),
    }
}

fn group_ids(fields: &Fields<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let ids = fields.texts(name)?;
    match ids.iter().find(|it| !groups::is_id(it)) {
        None if ids.len() <= limits::MAX_GROUPS => Ok(ids),
        None => Err(fields.wrong(name, "a shorter list")),
        Some(wrong) => Err(Refusal::malformed(format!("`{wrong}` is no id of a group"))),
    }
}

/// The key in `dtlsPsk`, in hexadecimal; `None` where there is none to keep.
fn psk(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let Some(value) = fields.get("dtlsPsk") else {
        return Ok(None);
    };
    let wrong = || {
        let forms = "one of HexadecimalPsk, PlainTextPsk, BinaryPsk, ExternalPsk, GlobalPsk";
        fields.wrong("dtlsPsk", forms)
    };
    let object = value.as_object().filter(|it| it.len() == 1);
    let (form, key) = object.and_then(|it| it.iter().next()).ok_or_else(wrong)?;
    let hexadecimal = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect::<String>()
    };
    let hex = match (form.as_str(), key) {
        ("HexadecimalPsk", Value::String(hex)) => hex.clone(),
        ("PlainTextPsk", Value::String(text)) => hexadecimal(text.as_bytes()),
        ("BinaryPsk", Value::Array(bytes)) => {
            // Java's bytes have a sign.
            let byte = |it: &Value| {
                let number = it.as_i64()?;
                u8::try_from(number)
                    .ok()
                    .or(i8::try_from(number).ok().map(i8::cast_unsigned))
            };
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            hexadecimal(&bytes.ok_or_else(wrong)?)
        }
        ("ExternalPsk" | "GlobalPsk", Value::Object(_)) => return Ok(None),
        _ => return Err(wrong()),
    };
    let most = keys::MAX_KEY_BYTES;
    keys::read_key(&hex)
        .map(|_| Some(hex))
        .ok_or_else(|| fields.wrong("dtlsPsk", &format!("a key of 1 to {most} bytes")))
}
