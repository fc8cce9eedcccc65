//! What an operator watches, at `/metrics` in the Prometheus text format.

use bellwire_store::{batch::BatchStats, log::Reason};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The measures of one server. Handles are made once, so that counting costs an atomic operation.
pub struct Metrics {
    handle: PrometheusHandle,
    recorder: PrometheusRecorder,
    batch_commands: Histogram,
    batch_rows: Histogram,
    decide_seconds: Histogram,
    commit_seconds: Histogram,
    /// Messages that clients sent.
    pub messages: Counter,
    /// Answers that were refusals.
    pub refusals: Counter,
    /// Connections accepted, by whatever protocol.
    pub accepted: Counter,
    /// Connections turned away by the rate limit.
    pub rate_limited: Counter,
    /// Sessions ended because they did not keep up.
    pub slow_readers: Counter,
    /// Frames that were taken out for who does not keep up, and stays.
    pub dropped: Counter,
    /// Rows that were due and ran.
    pub due_run: Counter,
    /// Rows that were due and failed.
    pub due_failed: Counter,
    /// How long the row that is due first was overdue when it was looked at, in seconds.
    pub due_late: Gauge,
}

const METADATA: Metadata<'static> = Metadata::new("bellwire", Level::INFO, None);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All measures at zero.
    pub fn new() -> Metrics {
        let seconds = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
        let counts = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];
        let suffix = |text: &str| metrics_exporter_prometheus::Matcher::Suffix(text.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(suffix("_seconds"), &seconds)
            .and_then(|builder| builder.set_buckets_for_metric(suffix("_size"), &counts))
            .expect("the buckets are not empty")
            .build_recorder();
        let counter =
            |name: &'static str| recorder.register_counter(&Key::from_static_name(name), &METADATA);
        let histogram = |name: &'static str| {
            recorder.register_histogram(&Key::from_static_name(name), &METADATA)
        };
        for &(name, help) in HELP {
            let (key, help) = (KeyName::from(name), help.into());
            match name {
                _ if name.ends_with("_total") => recorder.describe_counter(key, None, help),
                _ if name.ends_with("_size") => recorder.describe_histogram(key, None, help),
                "bellwire_decide_seconds" | "bellwire_commit_fsync_seconds" => {
                    recorder.describe_histogram(key, None, help);
                }
                _ => recorder.describe_gauge(key, None, help),
            }
        }
        Metrics {
            batch_commands: histogram("bellwire_batch_commands_size"),
            batch_rows: histogram("bellwire_batch_rows_size"),
            decide_seconds: histogram("bellwire_decide_seconds"),
            commit_seconds: histogram("bellwire_commit_fsync_seconds"),
            messages: counter("bellwire_messages_total"),
            refusals: counter("bellwire_refusals_total"),
            accepted: counter("bellwire_connections_accepted_total"),
            rate_limited: counter("bellwire_connections_rate_limited_total"),
            slow_readers: counter("bellwire_slow_readers_total"),
            dropped: counter("bellwire_frames_dropped_total"),
            due_run: counter("bellwire_due_run_total"),
            due_failed: counter("bellwire_due_failed_total"),
            due_late: recorder
                .register_gauge(&Key::from_static_name("bellwire_due_late_seconds"), &METADATA),
            handle: recorder.handle(),
            recorder,
        }
    }

    /// A batch was committed.
    pub fn batch(&self, stats: &BatchStats, commands: usize) {
        self.batch_commands.record(commands as f64);
        self.batch_rows.record(stats.rows as f64);
        self.decide_seconds.record(stats.decide);
        self.commit_seconds.record(stats.commit);
    }

    /// An event was told to so many sessions.
    pub fn told(&self, event: &str, frames: u64) {
        let labels = vec![Label::new("event", event.to_owned())];
        self.recorder
            .register_counter(&Key::from_parts("bellwire_events_told_total", labels), &METADATA)
            .increment(frames);
    }

    /// A client's cursor could not be resumed from.
    pub fn reset(&self, reason: Reason) {
        let labels = vec![Label::from_static_parts("reason", reason.as_str())];
        self.recorder
            .register_counter(&Key::from_parts("bellwire_resets_total", labels), &METADATA)
            .increment(1);
    }

    /// Sets what is measured only when someone looks.
    pub fn gauge(&self, name: &'static str, value: f64) {
        self.recorder.register_gauge(&Key::from_static_name(name), &METADATA).set(value);
    }

    /// Sums up what was recorded. Without it samples pile up until somebody looks, and perhaps nobody does.
    pub fn sum_up(&self) {
        self.handle.run_upkeep();
    }

    /// Everything, as text.
    pub fn render(&self) -> String {
        self.sum_up();
        self.handle.render()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

const HELP: &[(&str, &str)] = &[
    ("bellwire_batch_commands_size", "Commands in a committed batch."),
    ("bellwire_batch_rows_size", "Rows changed by a committed batch, the log's among them."),
    ("bellwire_decide_seconds", "From a batch's first command to its COMMIT."),
    ("bellwire_commit_fsync_seconds", "COMMIT with its fsync."),
    ("bellwire_hub_lag_seconds", "How far the slowest shard is behind the log."),
    ("bellwire_events_told_total", "Event frames written or queued for sessions, by event."),
    ("bellwire_connected_clients", "Paired clients that are connected."),
    ("bellwire_online_users", "Users who are online in chat by their connections."),
    ("bellwire_messages_total", "Messages that clients sent."),
    ("bellwire_refusals_total", "Answers that were refusals."),
    ("bellwire_connections_accepted_total", "TCP connections accepted."),
    ("bellwire_connections_rate_limited_total", "Connections turned away by the rate limit."),
    ("bellwire_slow_readers_total", "Sessions ended because they did not keep up (4408)."),
    (
        "bellwire_frames_dropped_total",
        "Frames dropped for sessions that do not keep up and may lose some.",
    ),
    ("bellwire_resets_total", "Cursors that could not be resumed from, by reason."),
    ("bellwire_due_run_total", "What was to happen at a time and did."),
    ("bellwire_due_failed_total", "What was to happen at a time, failed, and is tried again."),
    ("bellwire_due_late_seconds", "How long what is due first is overdue."),
    ("bellwire_connections", "Live WebSocket connections."),
    ("bellwire_outbound_queued_bytes", "Bytes that wait for sockets which would block."),
    ("bellwire_write_queue_length", "Commands that wait for the writer."),
    ("bellwire_read_queue_length", "Queries that wait for a reader."),
    ("bellwire_replay_queue_length", "Clients that wait for a replay from disk."),
    ("bellwire_log_bytes", "Bytes of the event log."),
    ("bellwire_log_head_offset", "The newest offset of the event log."),
    ("bellwire_log_first_offset", "The oldest offset that the event log keeps."),
];
