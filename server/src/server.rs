//! What all faces and drivers of one server share.

use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use fotalab_wire::net::{Clock, Datagrams, Network, UnixMillis};
use tokio::{
    sync::{Notify, Semaphore, oneshot},
    task::JoinSet,
};

use crate::{
    config::Config,
    core::{
        devices::Registry,
        firmware::Firmware,
        groups::Groups,
        horde::Horde,
        inventory::Inventory,
        iotaap::Iotaap,
        owners::Owners,
        resources::Resources,
        targets::Inspections,
        tasks::{Cursors, Tasks},
        ulid::Ulids,
        updates::{Update, Updates},
    },
    driver,
    feed::Feed,
    images::WaitingBlocks,
    limits,
    live::Live,
    lwm2m::{Air, Outcome},
    mqtt::Broker,
    restore,
    store::{
        DataError, Store,
        blob::{Blobs, Chunks, Images},
    },
    upstream::{Bundle, Caller, Upstream},
};

/// Where devices are heard.
#[derive(Clone, Default)]
pub(crate) struct Sockets {
    /// Over UDP as it is.
    pub(crate) plain: Option<Arc<dyn Datagrams>>,
    /// Over DTLS.
    pub(crate) secured: Option<Arc<dyn Datagrams>>,
}

/// Between the seeds of two lives of a server: 2^64 / golden ratio.
const SEED_OF_A_LIFE: u64 = 0x9E37_79B9_7F4A_7C15;

/// One server.
pub(crate) struct Server {
    /// What it was started with.
    pub(crate) config: Config,
    /// The time.
    pub(crate) clock: Clock,
    /// The cloud that updates devices for us.
    pub(crate) upstream: Upstream,
    /// Who is told what happens.
    pub(crate) live: Live,
    /// Where devices are heard.
    pub(crate) sockets: Sockets,
    /// The MQTT broker, where there is one.
    pub(crate) broker: OnceLock<Broker>,
    /// Where HTTP listens, once it does.
    pub(crate) http: OnceLock<SocketAddr>,
    /// The endpoint for devices, or the engine above it, wants to be woken sooner.
    pub(crate) air_wake: Notify,
    /// What survives.
    pub(crate) store: Arc<dyn Store>,
    /// The bytes of images.
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Bytes that large request bodies may still take.
    pub(crate) large_bodies: Arc<Semaphore>,
    /// The update engine has something new to wait for.
    pub(crate) updates_wake: Notify,
    /// A device has something new to look at.
    pub(crate) shadows_wake: Notify,
    state: Mutex<State>,
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// What changes.
pub(crate) struct State {
    /// Devices and accounts.
    pub(crate) registry: Registry,
    /// The update engine.
    pub(crate) updates: Updates,
    /// Who waits for the first upstream job of an update.
    pub(crate) scheduling: BTreeMap<String, oneshot::Sender<Result<Update, String>>>,
    /// The endpoint for devices.
    pub(crate) air: Option<Air>,
    /// When it, or the engine above it, wants to be woken.
    pub(crate) air_wakes_at: Option<UnixMillis>,
    /// Updates over the air.
    pub(crate) firmware: Firmware,
    /// Questions to devices under a target.
    pub(crate) inspections: Inspections,
    /// What Horde's API knows.
    pub(crate) horde: Horde,
    /// What IoTaaP's API knows.
    pub(crate) iotaap: Iotaap,
    /// What devices are updated to.
    pub(crate) images: Images,
    /// Ids of images.
    pub(crate) image_ids: Ulids,
    /// Pieces of images that are on disk.
    pub(crate) chunks: Chunks,
    /// Who waits for which of them.
    pub(crate) waiting_blocks: WaitingBlocks,
    /// Operations somebody waits for: on which device, and who.
    pub(crate) operations: BTreeMap<u64, (String, oneshot::Sender<Outcome>)>,
    /// Tasks on devices and groups.
    pub(crate) tasks: Tasks,
    /// Accounts of our own.
    pub(crate) owners: Owners,
    /// Groups that somebody made.
    pub(crate) groups: Groups,
    /// Files that somebody uploaded.
    pub(crate) resources: Resources,
    /// What is known of devices beyond who they are.
    pub(crate) inventory: Inventory,
    /// Lists of reports that somebody pages through.
    pub(crate) cursors: Cursors,
    /// The next operation's number.
    pub(crate) next_operation: u64,
    /// Who listens to the events of the air.
    pub(crate) feed: Feed,
    /// Bundles per account, and when they were fetched.
    pub(crate) bundles: BTreeMap<String, (UnixMillis, Arc<Vec<Bundle>>)>,
}

impl Server {
    /// A server that knows what `store` remembers.
    pub(crate) fn new(
        config: Config,
        network: Arc<dyn Network>,
        sockets: Sockets,
        clock: Clock,
        (store, blobs): (Arc<dyn Store>, Arc<dyn Blobs>),
    ) -> Result<Self, DataError> {
        let registry = Registry::default();
        let lives = restore::lives(&*store)?;
        let seed = config.seed.wrapping_add(lives.wrapping_mul(SEED_OF_A_LIFE));
        let first = sockets.plain.as_ref().or(sockets.secured.as_ref());
        let mut air = first.map(|it| Air::new(it.local_addr(), seed));
        if let (Some(air), Some(_)) = (&mut air, &sockets.secured) {
            let seed = network.is_virtual().then_some(seed ^ 0xD715);
            air.secure(clock.now(), registry.keys(), seed);
        }
        let mut state = State {
            registry,
            updates: Updates::new(seed, config.timing.follow),
            scheduling: BTreeMap::new(),
            air,
            air_wakes_at: None,
            firmware: Firmware::new(seed),
            inspections: Inspections::default(),
            horde: Horde::new(seed),
            iotaap: Iotaap::new(seed),
            images: Images::default(),
            image_ids: Ulids::new(seed ^ 0x1A),
            chunks: Chunks::default(),
            waiting_blocks: WaitingBlocks::default(),
            operations: BTreeMap::new(),
            tasks: Tasks::new(),
            owners: Owners::default(),
            groups: Groups::default(),
            resources: Resources::default(),
            inventory: Inventory::default(),
            cursors: Cursors::default(),
            next_operation: 0,
            feed: Feed::default(),
            bundles: BTreeMap::new(),
        };
        restore::restore(&*store, &*blobs, &mut state, clock.now())?;
        Ok(Self {
            config,
            clock,
            upstream: Upstream::new(network),
            live: Live::default(),
            sockets,
            broker: OnceLock::new(),
            http: OnceLock::new(),
            air_wake: Notify::new(),
            store,
            blobs,
            large_bodies: Arc::new(Semaphore::new(limits::LARGE_BODIES_BYTES)),
            updates_wake: Notify::new(),
            shadows_wake: Notify::new(),
            state: Mutex::new(state),
            tasks: Mutex::new(Some(JoinSet::new())),
        })
    }

    /// The state, for as long as nothing is awaited.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time now.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Changes the state, then does what the update engine wants done.
    pub(crate) fn change<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut State, UnixMillis) -> T,
    ) -> T {
        let result = driver::change(self, change);
        self.updates_wake.notify_one();
        self.shadows_wake.notify_one();
        result
    }

    /// How to call the upstream account `name`.
    pub(crate) fn caller(&self, name: &str) -> Option<Caller> {
        let account = self.state().registry.account(name)?.clone();
        Some(Caller {
            name: name.to_owned(),
            account,
        })
    }

    /// Runs a task until it ends or the server does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tasks) = tasks.as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Takes all tasks away; no more are run.
    pub(crate) fn close(&self) -> Option<JoinSet<()>> {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
