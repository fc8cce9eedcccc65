//! A release binary has the console inside: it is built anew when a file of the console comes or goes.

fn main() {
    println!("cargo:rerun-if-changed=../../console");
}
