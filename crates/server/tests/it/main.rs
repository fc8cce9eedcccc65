//! The program from outside: the real binary, real sockets, real files.
//!
//! Each family of behaviour is one `check` and rows of data. [`harness`] starts servers and has the
//! client; everything else is a module per family. Nothing here sleeps: a test waits for the thing
//! itself, with a deadline.

#![allow(clippy::disallowed_methods, reason = "deadlines of tests are read from the real clock")]

mod abuse;
mod adversary;
mod areas;
mod areas_clients;
mod backup;
mod chat;
mod chat_clients;
mod clients;
mod config;
mod console;
mod contract;
mod crash;
mod credentials;
mod demo;
mod document;
mod drain;
mod engine_io;
mod faults;
mod fields;
mod forge;
mod frames;
mod guests;
mod harness;
mod limits;
mod logging;
mod marketplace;
mod network;
mod notifications;
mod operate;
mod operator;
mod origins;
mod patience;
mod process;
mod protocol;
mod recording;
mod replays;
mod rest;
mod rest_properties;
mod resume;
mod revoke;
mod rights;
mod rolling;
mod schema;
mod sensor_clients;
mod sensor_frames;
mod sensors;
mod sessions;
mod settings;
mod socket_io;
mod socketio_clients;
mod states;
mod station_clients;
mod stations;
mod subscriptions;
mod supervisor;
mod tester_clients;
mod tickets;
mod tls;
mod town;
mod traffic;
mod upgrade;
mod user_rights;
mod users;
