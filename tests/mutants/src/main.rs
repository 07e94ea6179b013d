//! Weaves all mutants that cargo-mutants lists into the sources they are of, so that one build has them all:
//! `faregate-mutants mutants.json FOLDER [without]` rewrites the files under FOLDER and prints the number of each mutant that it
//! could weave, and that of the place it is at. `without` names a file of numbers to leave out.
//!
//! A mutant's number is its place in the list, from 1. Each place asks `crate::__mutant(place)` which mutant is switched on.

use std::{collections::BTreeMap, collections::BTreeSet, error::Error, fs, path::Path};

use crate::{
    mutant::{Mutant, Mutants},
    places::Places,
};

mod mutant;
mod places;
mod text;
mod weave;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [list, folder, without @ ..] = arguments.as_slice() else {
        return Err("faregate-mutants mutants.json FOLDER [without]".into());
    };
    let without = match without {
        [file, ..] => {
            fs::read_to_string(file)?.split_whitespace().map(str::parse).collect::<Result<BTreeSet<u32>, _>>()?
        }
        [] => BTreeSet::new(),
    };
    let listed: Vec<Mutant> = serde_json::from_str(&fs::read_to_string(list)?)?;
    let mut files: BTreeMap<String, Mutants> = BTreeMap::new();
    for (number, mutant) in (1..).zip(listed) {
        if !without.contains(&number) {
            files.entry(mutant.file.clone()).or_default().push((number, mutant));
        }
    }
    for (file, mutants) in files {
        let path = Path::new(folder).join(file);
        let source = fs::read_to_string(&path)?;
        let places = Places::find(&source, &mutants)?;
        fs::write(&path, weave::weave(&source, &places))?;
        for (mutant, place) in places.woven {
            println!("{mutant} {place}");
        }
    }
    Ok(())
}
