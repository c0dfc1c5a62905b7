//! What is under test here: a thermostat.

/// Keeps a room at a temperature.
#[derive(Debug, Default)]
pub struct Thermostat {
    /// Wanted temperature in degrees Celsius.
    pub target: f64,
    /// Readings so far, in degrees Celsius.
    pub readings: Vec<f64>,
}

impl Thermostat {
    /// Whether it heats after the last reading.
    #[must_use]
    pub fn heats(&self) -> bool {
        self.readings.last().is_some_and(|it| *it < self.target)
    }
}
