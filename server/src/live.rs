//! Who wants to be told what happens to a device, as it happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fotalab_wire::net::UnixMillis;
use tokio::sync::mpsc;

use crate::{
    core::{shadow::Shadow, updates::Update},
    limits,
};

/// Something that happened to a device.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An update is running or has ended.
    UpdateChanged(Update),
    /// The last step of an update has ended.
    StepEnded(Update),
    /// The device or its cloud changed these objects.
    ShadowChanged(Shadow),
}

/// All listeners. Copies are the same.
#[derive(Clone, Default)]
pub(crate) struct Live {
    listeners: Arc<Mutex<Listeners>>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    all: BTreeMap<u64, Listener>,
    by_device: BTreeMap<String, BTreeSet<u64>>,
}

struct Listener {
    device: String,
    /// Nothing is sent before it is active, or after this time.
    active_until: Option<UnixMillis>,
    queue: mpsc::Sender<Arc<Event>>,
}

/// A place among the listeners, given back when it is dropped.
pub(crate) struct Place {
    id: u64,
    live: Live,
}

impl Live {
    /// Takes a place for a listener of `device`, not active yet; `None` if there are too many.
    pub(crate) fn reserve(&self, device: &str) -> Option<(Place, mpsc::Receiver<Arc<Event>>)> {
        let mut listeners = self.lock();
        let of_device = listeners.by_device.get(device).map_or(0, BTreeSet::len);
        if listeners.all.len() >= limits::MAX_WEBSOCKETS
            || of_device >= limits::MAX_WEBSOCKETS_PER_DEVICE
        {
            return None;
        }
        let id = listeners.next;
        listeners.next += 1;
        let (queue, events) = mpsc::channel(limits::WEBSOCKET_QUEUE);
        let device = device.to_owned();
        listeners
            .by_device
            .entry(device.clone())
            .or_default()
            .insert(id);
        listeners.all.insert(
            id,
            Listener {
                device,
                active_until: None,
                queue,
            },
        );
        Some((
            Place {
                id,
                live: self.clone(),
            },
            events,
        ))
    }

    /// Tells the active listeners of `device`. One whose queue is full loses its place.
    pub(crate) fn publish(&self, now: UnixMillis, device: &str, event: Event) {
        let mut listeners = self.lock();
        let Some(ids) = listeners.by_device.get(device) else {
            return;
        };
        let event = Arc::new(event);
        let mut lost = Vec::new();
        for id in ids {
            if let Some(listener) = listeners.all.get(id)
                && listener.is_active(now)
                && listener.queue.try_send(Arc::clone(&event)).is_err()
            {
                lost.push(*id);
            }
        }
        for id in lost {
            listeners.remove(id);
        }
    }

    /// The devices with an active listener.
    pub(crate) fn devices(&self, now: UnixMillis) -> BTreeSet<String> {
        let listeners = self.lock();
        let active = listeners.all.values().filter(|it| it.is_active(now));
        active.map(|it| it.device.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Who this is, for messages about it.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Wants to be told until `until`.
    pub(crate) fn listen_until(&self, until: UnixMillis) {
        if let Some(listener) = self.live.lock().all.get_mut(&self.id) {
            listener.active_until = Some(until);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.lock().remove(self.id);
    }
}

impl Listener {
    fn is_active(&self, now: UnixMillis) -> bool {
        self.active_until.is_some_and(|until| now < until)
    }
}

impl Listeners {
    fn remove(&mut self, id: u64) {
        let Some(listener) = self.all.remove(&id) else {
            return;
        };
        if let Some(ids) = self.by_device.get_mut(&listener.device) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_device.remove(&listener.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::ShadowChanged(Shadow::default())
    }

    #[test]
    fn only_active_listeners_of_the_device_are_told() {
        let live = Live::default();
        let (place, mut events) = live.reserve("a").expect("a place");
        live.publish(5, "a", event());
        place.listen_until(10);
        live.publish(9, "b", event());
        assert!(events.try_recv().is_err());
        live.publish(9, "a", event());
        assert!(events.try_recv().is_ok());
        live.publish(10, "a", event());
        assert!(events.try_recv().is_err());
        assert!(live.devices(10).is_empty());
    }

    #[test]
    fn a_full_queue_and_a_dropped_place_end_the_listening() {
        let live = Live::default();
        let (place, mut events) = live.reserve("a").expect("a place");
        place.listen_until(10);
        for _ in 0..=limits::WEBSOCKET_QUEUE {
            live.publish(1, "a", event());
        }
        assert!(live.devices(1).is_empty());
        let mut told = 0;
        while events.try_recv().is_ok() {
            told += 1;
        }
        assert_eq!(told, limits::WEBSOCKET_QUEUE);
        let (place, _events) = live.reserve("a").expect("a place");
        place.listen_until(10);
        drop(place);
        assert!(live.devices(1).is_empty());
    }

    #[test]
    fn places_are_limited_per_device() {
        let live = Live::default();
        let places: Vec<_> = (0..limits::MAX_WEBSOCKETS_PER_DEVICE)
            .map_while(|_| live.reserve("a"))
            .collect();
        assert_eq!(places.len(), limits::MAX_WEBSOCKETS_PER_DEVICE);
        assert!(live.reserve("a").is_none());
        assert!(live.reserve("b").is_some());
    }
}
