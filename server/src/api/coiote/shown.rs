//! A device as this API shows it: the fields of the how-to, in its order (contract 5).

use fotalab_wire::lwm2m::Path;
use serde_json::{Map, Value, json};

use crate::core::{
    devices::Device,
    groups,
    inventory::{Record, Seen},
    owners::{DEFAULT_DOMAIN, Owner},
    time::iso,
};

/// The whole entity.
pub(super) fn device(device: &Device, record: &Record, owner: Option<&Owner>) -> Value {
    let Record { provided, seen, .. } = record;
    let told = |id| record.value(Path::resource(3, 0, id));
    let heritage = |name: &str| provided.heritage.get(name);
    let domain = domain(record, owner);
    let identity = &device.identity;
    let psk_identity = provided.dtls_identity.as_deref();
    let psk_identity = psk_identity.or(identity.psk_identity(&device.id));
    let security = provided.security_mode.as_deref().or(match &identity.psk {
        Some(_) => Some("psk"),
        None => seen.registered.map(|_| "nosec"),
    });
    json!({
        "id": device.id,
        "connectorType": provided.connector.as_deref().unwrap_or("management"),
        "bootstrap": provided.bootstrap,
        "directGroups": groups::of_device(device, record, domain),
        "properties": properties(&device.id, record),
        "blacklisted": provided.blacklisted,
        "managementEnabled": provided.managed.unwrap_or(true),
        "lastSessionTime": seen.session.map(iso),
        "lastContactTime": seen.contact.map(iso),
        "lastRegisterTime": seen.registered.map(iso),
        "firstRegisterTime": seen.first_registered.map(iso),
        "creationTime": iso(seen.created),
        "ipAddress": ip(seen),
        "serialNumber": told(2).map(str::to_owned).or_else(|| heritage("serialNumber").cloned()),
        "oui": heritage("oui"),
        "modelName": told(1).map(str::to_owned).or_else(|| heritage("modelName").cloned()),
        "hardwareVersion": heritage("hardwareVersion"),
        "softwareVersion": told(3).or(device.reported_version.as_deref()),
        "productClass": heritage("productClass"),
        "manufacturer": told(0).map(str::to_owned).or_else(|| heritage("manufacturer").cloned()),
        "description": provided.description,
        "friendlyName": provided.friendly_name.as_deref().unwrap_or(&device.id),
        "domain": domain,
        "securityMode": security,
        "dtlsIdentity": psk_identity,
        "dtlsPsk": identity.psk.as_ref().map(|key| json!({"HexadecimalPsk": key})),
    })
}

/// Where a device belongs.
pub(super) fn domain<'a>(record: &'a Record, owner: Option<&'a Owner>) -> &'a str {
    let own = record.provided.domain.as_deref();
    own.unwrap_or_else(|| owner.map_or(DEFAULT_DOMAIN, Owner::domain))
}

/// Only some fields of an entity; all where none is named.
pub(super) fn selected(entity: Value, fields: &[&str]) -> Value {
    if fields.is_empty() {
        return entity;
    }
    let Value::Object(entity) = entity else {
        return entity;
    };
    let mut chosen = Map::new();
    for field in fields {
        if let Some(value) = entity.get(*field) {
            chosen.insert((*field).to_owned(), value.clone());
        } else if let Some((name, inner)) = field.split_once('.')
            && let Some(value) = entity.get(name).and_then(|it| it.get(inner))
        {
            let outer = chosen.entry(name).or_insert_with(|| json!({}));
            if let Some(outer) = outer.as_object_mut() {
                outer.insert(inner.to_owned(), value.clone());
            }
        }
    }
    Value::Object(chosen)
}

fn properties(id: &str, record: &Record) -> Value {
    let seen = &record.seen;
    let mut all = Map::new();
    let mut add = |name: &str, value: &str| {
        all.insert(name.to_owned(), json!(value));
    };
    add("endpointName", id);
    if seen.registered.is_some() {
        let binding = match seen.binding.as_str() {
            "" => "U",
            binding => binding,
        };
        let scheme = if seen.secured { "coaps" } else { "coap" };
        let server = seen.server_instance.unwrap_or_default().to_string();
        for (name, value) in [
            ("registeredObjects", seen.objects.as_str()),
            ("registeredMode", binding),
            ("detectedTransport", "U"),
            ("lwm2mVersion", &seen.lwm2m),
            ("lwm2mServerObjectInstance", &server),
            ("rootPath", &seen.root),
            ("lwm2mUdpMode", "DIRECT"),
            (
                "registeredQueueMode",
                if seen.queue { "true" } else { "false" },
            ),
            ("lwm2mAdditionalOptions", ""),
            ("lwm2mTransportPreference", "udp"),
            ("sendViaNode", "0"),
            ("objectVersions", &seen.versions),
        ] {
            add(name, value);
        }
        if let Some(address) = &seen.address {
            add("lwm2mUri", &format!("{scheme}://{address}"));
        }
        if let Some(ip) = ip(seen) {
            add("lastKnownIp", &ip);
        }
        if let Some(at) = seen.updated.max(seen.registered) {
            // No zone and a space, as the how-to shows it.
            let at = iso(at).replace('T', " ");
            add("lastRegisterUpdate", at.trim_end_matches('Z'));
        }
    }
    for (names, last) in [
        (["lwm2mLastUpOp", "lwm2mLastUpOpTime"], &seen.uplink),
        (["lwm2mLastDownOp", "lwm2mLastDownOpTime"], &seen.downlink),
    ] {
        if let Some((operation, at)) = last {
            add(names[0], operation);
            add(names[1], &at.to_string());
        }
    }
    for (name, value) in &record.provided.properties {
        add(name, value);
    }
    Value::Object(all)
}

fn ip(seen: &Seen) -> Option<String> {
    let address = seen.address.as_deref()?;
    let (host, _port) = address.rsplit_once(':')?;
    Some(host.trim_matches(['[', ']']).to_owned())
}
