//! The program `sensor-license`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sensor_license::run()
}
