//! wip
#![allow(dead_code)]
pub mod classes;
pub mod ctl;
pub mod engine;
pub mod error;
pub mod live;
pub mod pass;
pub mod peek;
pub mod ram;
pub mod sys;
