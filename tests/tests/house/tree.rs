//! The repository's files, read once.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One text file of the repository.
pub(crate) struct File {
    /// Relative to the repository's root, with `/` between segments.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file that belongs to the repository.
pub(crate) struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

impl Tree {
    /// Reads the tree that this crate stands in.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        read_folder(&root, "", &mut files);
        Self { root, files }
    }

    /// Whether a path, relative to the root, is there.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The manifests of the workspace's members.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        let is_outside = |file: &&File| OUTSIDE.iter().any(|folder| file.path.starts_with(folder));
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")).filter(move |file| !is_outside(file))
    }

    /// Every Rust source.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// Every page for people.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".md"))
    }

    /// The architecture decisions.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = &File> {
        self.documents().filter(|file| file.path.starts_with("docs/adr/"))
    }

    /// The codes that have a page under `docs/problems`.
    pub(crate) fn problem_pages(&self) -> impl Iterator<Item = String> {
        let pages = self.documents().filter_map(|file| file.path.strip_prefix("docs/problems/")?.strip_suffix(".md"));
        pages.filter(|page| *page != "README").map(str::to_owned)
    }
}

fn read_folder(root: &Path, folder: &str, files: &mut Vec<File>) {
    let entries = fs::read_dir(root.join(folder)).expect("a folder of the repository can be read");
    for entry in entries {
        let entry = entry.expect("a folder of the repository can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !FOREIGN_FOLDERS.contains(&name.as_str()) {
                read_folder(root, &path, files);
            }
        } else if TEXT_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(entry.path()).expect("a source file is UTF-8");
            files.push(File { path, text });
        }
    }
}

/// Crates that are built by themselves.
const OUTSIDE: &[&str] = &["fuzz/", "tests/mutants/"];
const TEXT_ENDINGS: &[&str] = &[".rs", ".md", "Cargo.toml"];
const FOREIGN_FOLDERS: &[&str] = &[".git", ".faregate", ".aws-sam", "target", "node_modules", "corpus", "artifacts"];
