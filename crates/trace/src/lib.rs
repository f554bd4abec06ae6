//! A compiled script in, its probes running, events out: the only room that calls the kernel to trace.
pub mod event;
pub mod facts;
pub mod list;
pub mod print;
pub mod provider;
pub mod ring;
pub mod sys;
