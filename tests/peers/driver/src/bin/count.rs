//! Stands between a peer and its store, and counts: `count LISTEN STORE CONTROL [raw]`, each HOST:PORT. Whoever connects to
//! CONTROL reads the calls by `X-Amz-Target` as a JSON object. With `raw` bytes pass and nothing is counted.

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use faregate_peers::{message::Head, tally::object};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let word = |at: usize| words.get(at).ok_or("count LISTEN STORE CONTROL [raw]");
    let (listener, control) = (TcpListener::bind(word(0)?)?, TcpListener::bind(word(2)?)?);
    let (store, is_raw) = (word(1)?.clone(), word(3).is_ok());
    let counts = Counts::default();
    let counted = Arc::clone(&counts);
    thread::spawn(move || {
        for asked in control.incoming().flatten() {
            tell(asked, &counted);
        }
    });
    for peer in listener.incoming().flatten() {
        let (store, counts) = (store.clone(), Arc::clone(&counts));
        thread::spawn(move || {
            // A connection that breaks is the peer's to open again.
            let _ = join(peer, &store, &counts, is_raw);
        });
    }
    Ok(())
}

type Counts = Arc<Mutex<BTreeMap<String, u64>>>;

fn tell(mut asked: TcpStream, counts: &Counts) {
    let text = object(&counts.lock().unwrap_or_else(PoisonError::into_inner));
    // Whoever asked and left wants no answer.
    let _ = asked.write_all(text.as_bytes());
}

/// Joins two connections until one of them ends.
fn join(peer: TcpStream, store: &str, counts: &Counts, is_raw: bool) -> io::Result<()> {
    let store = TcpStream::connect(store)?;
    store.set_nodelay(true)?;
    peer.set_nodelay(true)?;
    let (mut answers, mut back) = (store.try_clone()?, peer.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let ended = if is_raw { copy(peer, &store) } else { pass(peer, &store, counts) };
    let _ = store.shutdown(Shutdown::Both);
    ended
}

fn copy(mut peer: TcpStream, mut store: &TcpStream) -> io::Result<()> {
    io::copy(&mut peer, &mut store).map(|_| ())
}

/// Hands on one request after the other.
fn pass(peer: TcpStream, mut store: &TcpStream, counts: &Counts) -> io::Result<()> {
    let mut peer = BufReader::new(peer);
    while let Some(head) = Head::read(&mut peer.by_ref())? {
        let target = head.target.clone().unwrap_or_else(|| "other".to_owned());
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        *counts.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
        let mut bytes = head.bytes.clone();
        bytes.extend(head.read_wire(&mut peer)?);
        store.write_all(&bytes)?;
    }
    Ok(())
}
