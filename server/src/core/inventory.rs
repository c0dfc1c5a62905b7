//! What is known of devices beyond who they are: what somebody said of them, when they were seen,
//! and what they told last.

use std::collections::{BTreeMap, BTreeSet};

use fotalab_wire::{
    lwm2m::{Path, Value, registration::Registration},
    net::UnixMillis,
};
use serde::{Deserialize, Serialize};

use crate::limits;

/// What somebody said of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Provided {
    /// Where it belongs, between slashes.
    pub(crate) domain: Option<String>,
    /// `management` or `bootstrap`.
    pub(crate) connector: Option<String>,
    /// It bootstraps.
    pub(crate) bootstrap: bool,
    /// It may not register.
    pub(crate) blacklisted: bool,
    /// Said, and only shown.
    pub(crate) managed: Option<bool>,
    /// In words.
    pub(crate) description: Option<String>,
    /// What people call it.
    pub(crate) friendly_name: Option<String>,
    /// `psk`, `nosec` and the like.
    pub(crate) security_mode: Option<String>,
    /// The PSK identity.
    pub(crate) dtls_identity: Option<String>,
    /// Other things, name and value.
    pub(crate) properties: BTreeMap<String, String>,
    /// TR-069's, kept as they came.
    pub(crate) heritage: BTreeMap<String, String>,
}

/// When a device was seen, and how it registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Seen {
    /// When it became known.
    pub(crate) created: UnixMillis,
    /// Its first Register.
    pub(crate) first_registered: Option<UnixMillis>,
    /// Its last Register.
    pub(crate) registered: Option<UnixMillis>,
    /// Its last Register or Update.
    pub(crate) updated: Option<UnixMillis>,
    /// The last message from it.
    pub(crate) contact: Option<UnixMillis>,
    /// The last time that it was asked something.
    pub(crate) session: Option<UnixMillis>,
    /// What it did last by itself.
    pub(crate) uplink: Option<(String, UnixMillis)>,
    /// What it was asked last.
    pub(crate) downlink: Option<(String, UnixMillis)>,
    /// Where it was, `ip:port`.
    pub(crate) address: Option<String>,
    /// Over DTLS.
    pub(crate) secured: bool,
    /// Its objects and instances, `/1/0,/3,/3/0`.
    pub(crate) objects: String,
    /// Their versions, `1:1.1,3:1.0`.
    pub(crate) versions: String,
    /// `1.1.0`
    pub(crate) lwm2m: String,
    /// `b`, without the queue mode.
    pub(crate) binding: String,
    /// In queue mode.
    pub(crate) queue: bool,
    /// Its alternate root path.
    pub(crate) root: String,
    /// Instances of object 1, the first is taken for ours.
    pub(crate) server_instance: Option<u16>,
}

/// A value that a device told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cached {
    /// As text.
    pub(crate) text: String,
    /// Its type, as the Coiote API names it.
    pub(crate) kind: String,
    /// When.
    pub(crate) at: UnixMillis,
}

/// What is known of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// What somebody said of it.
    pub(crate) provided: Provided,
    /// When it was seen.
    pub(crate) seen: Seen,
    /// What it told, by path.
    pub(crate) values: BTreeMap<String, Cached>,
    /// An API that shows what it is was asked for it: that is read when it registers.
    pub(crate) known: bool,
}

/// All records, by endpoint name.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    records: BTreeMap<String, Record>,
    changed: BTreeSet<String>,
}

impl Inventory {
    /// What is known of a device.
    pub(crate) fn get(&self, device: &str) -> Option<&Record> {
        self.records.get(device)
    }

    /// The record of a device, made where there is none, to be changed and remembered.
    pub(crate) fn edit(&mut self, now: UnixMillis, device: &str) -> &mut Record {
        self.changed.insert(device.to_owned());
        self.touch(now, device)
    }

    /// The same without remembering: times change too often to be written each time.
    pub(crate) fn touch(&mut self, now: UnixMillis, device: &str) -> &mut Record {
        let record = self.records.entry(device.to_owned());
        record.or_insert_with(|| Record {
            seen: Seen {
                created: now,
                ..Seen::default()
            },
            ..Record::default()
        })
    }

    /// Forgets a device.
    pub(crate) fn remove(&mut self, device: &str) {
        self.records.remove(device);
        self.changed.insert(device.to_owned());
    }

    /// Puts a record back after a restart.
    pub(crate) fn restore(&mut self, device: &str, record: Record) {
        self.records.insert(device.to_owned(), record);
    }

    /// The next device whose record changed; `None` in it: it is gone.
    pub(crate) fn poll_changed(&mut self) -> Option<(String, Option<&Record>)> {
        let device = self.changed.pop_first()?;
        let record = self.records.get(&device);
        Some((device, record))
    }

    /// Takes in a value that a device told.
    pub(crate) fn learn(&mut self, now: UnixMillis, device: &str, path: Path, value: &Value) {
        let record = self.touch(now, device);
        let (text, kind) = shown(value);
        let name = path.to_string();
        let room = record.values.len() < limits::MAX_CACHED_VALUES;
        let known = record.values.get(&name);
        let is_new = known.is_none_or(|it| it.text != text);
        let fits = text.len() <= limits::MAX_CACHED_BYTES;
        if fits && (known.is_some() || room) {
            let cached = Cached {
                text,
                kind: kind.to_owned(),
                at: now,
            };
            record.values.insert(name, cached);
            if is_new {
                self.changed.insert(device.to_owned());
            }
        }
    }
}

impl Record {
    /// The last value of a path.
    pub(crate) fn value(&self, path: Path) -> Option<&str> {
        self.values
            .get(&path.to_string())
            .map(|it| it.text.as_str())
    }

    /// State and Result of the firmware object, as they were told last.
    pub(crate) fn firmware(&self) -> Option<(i64, i64)> {
        let number = |id| self.value(Path::resource(5, 0, id))?.parse().ok();
        Some((number(3)?, number(5)?))
    }
}

impl Seen {
    /// Takes in a registration.
    pub(crate) fn registers(&mut self, now: UnixMillis, said: &Registration) {
        self.first_registered = self.first_registered.or(Some(now));
        self.registered = Some(now);
        let objects = said.objects.objects.iter();
        let paths = objects.clone().flat_map(|(id, object)| {
            // The object itself where it has no instance or a version, as it is listed.
            let bare = object.instances.is_empty() || object.version.is_some();
            let bare = bare.then(|| format!("/{id}"));
            let instances = object.instances.iter().map(move |it| format!("/{id}/{it}"));
            bare.into_iter().chain(instances)
        });
        self.objects = paths.collect::<Vec<_>>().join(",");
        let definitions = said.objects.definitions(said.version);
        let versions = objects.map(|(id, object)| {
            let version = object.version.or_else(|| definitions.version(*id));
            let version = version.map_or_else(|| "1.0".to_owned(), |it| it.to_string());
            format!("{id}:{version}")
        });
        self.versions = versions.collect::<Vec<_>>().join(",");
        self.lwm2m = format!("{}.0", said.version);
        let binding = said.binding;
        let letters = [
            (binding.udp, 'U'),
            (binding.tcp, 'T'),
            (binding.sms, 'S'),
            (binding.non_ip, 'N'),
        ];
        let letters = letters.into_iter().filter(|(has, _)| *has);
        self.binding = letters.map(|(_, letter)| letter).collect();
        self.queue = said.queue;
        self.root.clone_from(&said.objects.root);
        let servers = said.objects.objects.get(&1);
        self.server_instance = servers.and_then(|it| it.instances.first()).copied();
    }
}

/// A value as text, and its type.
pub(crate) fn shown(value: &Value) -> (String, &'static str) {
    match value {
        Value::String(text) => (text.clone(), "String"),
        Value::CoreLink(text) => (text.clone(), "Corelnk"),
        Value::Integer(number) => (number.to_string(), "Integer"),
        Value::Unsigned(number) => (number.to_string(), "UnsignedInteger"),
        Value::Time(number) => (number.to_string(), "Time"),
        Value::Float(number) => (number.to_string(), "Float"),
        Value::Boolean(truth) => (truth.to_string(), "Boolean"),
        Value::ObjectLink(link) => (link.to_string(), "Objlnk"),
        Value::Opaque(bytes) => {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            (STANDARD.encode(bytes), "Opaque")
        }
    }
}
