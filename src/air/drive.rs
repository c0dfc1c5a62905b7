//! The devices of a laboratory in a task of their own, and how steps reach them.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fotalab_simulators::device::drive::{Driver, Fleet};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::watch::Watch;

/// All devices of a laboratory. They end with it.
pub(crate) struct Devices {
    commands: mpsc::UnboundedSender<Command>,
    broken: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

type Command = Box<dyn FnOnce(&mut Driver, Duration) + Send>;

impl Devices {
    /// Runs them on the current runtime.
    pub(crate) fn run(driver: Driver, watch: Watch) -> Self {
        let (commands, queue) = mpsc::unbounded_channel();
        let broken = Arc::<Mutex<Option<String>>>::default();
        let task = tokio::spawn(run(driver, queue, watch, Arc::clone(&broken)));
        Self {
            commands,
            broken,
            task,
        }
    }

    /// A way to them that a step can keep across an await.
    pub(crate) fn handle(&self) -> Handle {
        Handle {
            commands: self.commands.clone(),
            broken: Arc::clone(&self.broken),
        }
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A way to the devices.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    broken: Arc<Mutex<Option<String>>>,
}

impl Handle {
    /// Lets the driver do something, and says what came of it.
    ///
    /// # Errors
    /// Their socket has broken.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Driver, Duration) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (done, answer) = oneshot::channel();
        let command = Box::new(move |driver: &mut Driver, now| drop(done.send(act(driver, now))));
        let sent = self.commands.send(command);
        match (sent, answer.await) {
            (Ok(()), Ok(answer)) => Ok(answer),
            _ => {
                let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
                let why = broken.as_deref().unwrap_or("their task has ended");
                Err(format!("the devices' socket does not work: {why}"))
            }
        }
    }

    /// The same with the fleet alone.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn fleet<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Fleet, Duration) -> T + Send + 'static,
    ) -> Result<T, String> {
        self.drive(move |driver, now| act(&mut driver.fleet, now))
            .await
    }
}

async fn run(
    mut driver: Driver,
    mut queue: mpsc::UnboundedReceiver<Command>,
    watch: Watch,
    broken: Arc<Mutex<Option<String>>>,
) {
    loop {
        let moved: io::Result<()> = tokio::select! {
            biased;
            command = queue.recv() => match command {
                Some(command) => {
                    let now = driver.now();
                    command(&mut driver, now);
                    continue;
                }
                None => return,
            },
            moved = driver.run_until_event() => moved,
        };
        if let Err(error) = moved {
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            watch.lock().wake();
            return;
        }
        while driver.fleet.poll_event().is_some() {}
        watch.lock().wake();
    }
}
