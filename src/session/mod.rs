//! A job carried out: prepared, run, steered, judged, recorded.

pub mod cores;
pub mod ending;
pub mod evidence;
pub mod exit;
pub mod output;
pub mod prepare;
pub mod rules;
pub mod signals;
pub mod sockets;
pub mod source;
pub mod steer;
pub mod target;
pub mod watch;
