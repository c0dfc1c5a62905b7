//! What a laboratory does to a device from outside: its switch, its sensors, its faults.

use std::sync::Arc;
use std::time::Duration;

use fotalab_wire::lwm2m::{Definitions, Path, Value};

use super::setup::coap_of;
use super::{Device, Faults, Kind, Persona};

impl Device {
    /// Goes dark at once and stays so until it is switched on.
    pub fn switch_off(&mut self, now: Duration) {
        self.go_dark(now, None, false);
    }

    /// Gives a resource another value, as a sensor does: who observes it is notified. Object 5 and
    /// the registration's own resources are the device's; false for them and for what it has not.
    pub fn set_value(&mut self, now: Duration, path: Path, value: Value) -> bool {
        let own = matches!(path.ids(), [0 | 1 | 5, ..]);
        if own || path.depth() != 3 || self.value(now, path).is_none() {
            return false;
        }
        self.own_tree().set(path, value);
        self.settle(now);
        true
    }

    /// Gives it more faults, or those that it has with other numbers.
    pub fn add_faults(&mut self, now: Duration, faults: &Faults) {
        let mut persona = Persona::clone(&self.kind.persona);
        persona.faults.extend(faults);
        let persona = Arc::new(persona);
        self.kind = Arc::new(Kind {
            coap: Arc::new(coap_of(&persona)),
            persona: Arc::clone(&persona),
            definitions: self.kind.definitions.clone(),
            custom: self.kind.custom.clone(),
        });
        self.firmware.take_persona(now, persona, self.starts == 0);
    }

    /// The objects that it has, as they are defined.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        &self.kind.definitions
    }

    /// What kind of device it is.
    #[must_use]
    pub fn persona(&self) -> &Persona {
        &self.kind.persona
    }
}
