//! A function's binary as a child process.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::time::sleep;

use super::{Failure, RuntimeApi};

/// How often the child is asked whether it still runs.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);

/// The value of `_SC_CLK_TCK` on every Linux: hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A bootstrap that runs against a [`RuntimeApi`] of its own. It is killed when it is dropped.
#[derive(Debug)]
pub struct Function {
    api: RuntimeApi,
    process: Process,
    started: Instant,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor, user and system.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    /// The most resident memory so far, in bytes.
    pub peak: u64,
}

impl Function {
    /// Starts a binary as Lambda does: with the variables of Lambda, those given, and no others.
    ///
    /// # Errors
    /// The binary cannot be run, or there is no free port.
    pub async fn start(
        name: &str,
        binary: &Path,
        environment: impl IntoIterator<Item = (&str, String)>,
    ) -> io::Result<Self> {
        let api = RuntimeApi::start().await?;
        let log = log_file(name);
        let output = fs::File::create(&log)?;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
            .env("AWS_REGION", "us-east-1")
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let started = Instant::now();
        let child = command.spawn().inspect_err(|_| drop(fs::remove_file(&log)))?;
        Ok(Self { api, process: Process { child, log }, started })
    }

    /// Waits for the first poll, and returns how long after the start it came.
    ///
    /// # Errors
    /// [`Failure::Initialisation`], [`Failure::Exited`] or [`Failure::TimedOut`].
    pub async fn first_poll(&mut self) -> Result<Duration, Failure> {
        let polled = tokio::select! {
            polled = self.api.first_poll() => polled?,
            failure = self.process.exited() => return Err(failure),
        };
        Ok(polled.duration_since(self.started))
    }

    /// Hands an event to the function and waits for its result.
    ///
    /// # Errors
    /// [`Failure::Invocation`], [`Failure::Exited`] or [`Failure::TimedOut`].
    pub async fn invoke(&mut self, event: &Value) -> Result<Value, Failure> {
        tokio::select! {
            outcome = self.api.invoke(event) => outcome,
            failure = self.process.exited() => Err(failure),
        }
    }

    /// As [`Self::invoke`], with a time limit of the function's own.
    ///
    /// # Errors
    /// As there.
    pub async fn invoke_within(&mut self, event: &Value, limit: Duration) -> Result<Value, Failure> {
        tokio::select! {
            outcome = self.api.invoke_within(event, limit) => outcome,
            failure = self.process.exited() => Err(failure),
        }
    }

    /// Returns what the process has used so far.
    ///
    /// # Errors
    /// The process has ended, or this is not Linux.
    pub fn usage(&self) -> io::Result<Usage> {
        let directory = PathBuf::from(format!("/proc/{}", self.process.child.id()));
        let status = fs::read_to_string(directory.join("status"))?;
        Ok(Usage {
            cpu: cpu_time(&directory)?,
            resident: status_bytes(&status, "VmRSS:")?,
            peak: status_bytes(&status, "VmHWM:")?,
        })
    }

    /// Returns what the function wrote to standard output and standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until the process has ended.
    async fn exited(&mut self) -> Failure {
        loop {
            sleep(WATCH_INTERVAL).await;
            let status = match self.child.try_wait() {
                Ok(None) => continue,
                Ok(Some(status)) => status.to_string(),
                Err(error) => error.to_string(),
            };
            return Failure::Exited { status, log: self.log() };
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}

fn log_file(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("aimo-{name}-{}-{number}.log", std::process::id()))
}

/// Returns the processor time of all threads: in nanoseconds where the kernel counts them, else in
/// the ticks of `stat`, which are as long as the whole budget of a cold start.
fn cpu_time(directory: &Path) -> io::Result<Duration> {
    let mut precise = Duration::ZERO;
    for thread in fs::read_dir(directory.join("task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = schedstat.split(' ').next().and_then(|number| number.parse().ok());
        precise += Duration::from_nanos(nanoseconds.unwrap_or_default());
    }
    if precise > Duration::ZERO {
        return Ok(precise);
    }
    let stat = fs::read_to_string(directory.join("stat"))?;
    // The name in parentheses may hold spaces; behind it utime and stime are the 12th and 13th field.
    let (_, fields) = stat.rsplit_once(") ").ok_or_else(|| unreadable("stat"))?;
    let ticks: u32 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

fn status_bytes(status: &str, name: &'static str) -> io::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| unreadable(name))?;
    let kibibytes = line.trim().strip_suffix(" kB").and_then(|number| number.parse::<u64>().ok());
    kibibytes.map(|number| number * 1024).ok_or_else(|| unreadable(name))
}

fn unreadable(what: &str) -> io::Error {
    io::Error::other(format!("/proc has no {what} that can be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_of_this_process_can_be_read() {
        let directory = Path::new("/proc/self");
        assert!(cpu_time(directory).unwrap() < Duration::from_mins(1));
        let status = fs::read_to_string(directory.join("status")).unwrap();
        let (resident, peak) =
            (status_bytes(&status, "VmRSS:").unwrap(), status_bytes(&status, "VmHWM:").unwrap());
        assert!(resident > 100_000 && peak >= resident, "{resident} {peak}");
    }
}
