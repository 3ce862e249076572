//! Compiles `proto/sensor.proto`. The compiler is protox, so that a build does not need `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut descriptors = protox::compile(["sensor.proto"], ["proto"])?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    // The receiver offers this descriptor set through server reflection.
    fs::write(out_dir.join("sensor.fds"), descriptors.encode_to_vec())?;
    // A generated unary method ignores all request messages after the first. The receiver refuses
    // such a request, so the generated method leaves the messages to the receiver.
    for file in &mut descriptors.file {
        let services = file.service.iter_mut();
        for method in services.flat_map(|service| &mut service.method) {
            method.client_streaming = Some(true);
        }
    }
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
