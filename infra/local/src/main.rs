//! The command `faregate`: the whole bundle on one machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    faregate::run(std::env::args_os())
}
