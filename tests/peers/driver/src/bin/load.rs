//! Callers who each send the next request as soon as the last one is answered: `load HOST:PORT FILE CALLERS WARM_MS TIMED_MS
//! [MEMBER [ADMITTED]]`. The file holds whole requests with a byte 0x1e after each, which callers take in turn. Prints `begun`,
//! then a JSON object: what was said (`+` where admitted, the status and the answer's MEMBER), and how long it took. A 2xx answer admits, or
//! one that also holds the text ADMITTED. The end of its input ends it early.

use std::{
    env, fs,
    io::{self, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use faregate_peers::{
    message::Answer,
    tally::{Outcome, Tally},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let word =
        |at: usize| words.get(at).cloned().ok_or("load HOST:PORT FILE CALLERS WARM_MS TIMED_MS [MEMBER [ADMITTED]]");
    let requests: Vec<Vec<u8>> = fs::read(word(1)?)?.split(|byte| *byte == 0x1e).map(<[u8]>::to_vec).collect();
    let requests: Vec<_> = requests.into_iter().filter(|request| !request.is_empty()).collect();
    let callers: usize = word(2)?.parse()?;
    let warm = Duration::from_millis(word(3)?.parse()?);
    let timed = Duration::from_millis(word(4)?.parse()?);
    let member = word(5).unwrap_or_else(|_| "code".to_owned());
    let admitted = word(6).unwrap_or_default();
    let (address, end, is_over) = (word(0)?, warm + timed, AtomicBool::new(false));
    let run = Arc::new(Run { address, requests, warm, end, member, admitted, is_over });
    let told = Arc::clone(&run);
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        told.is_over.store(true, Ordering::Relaxed);
    });
    println!("begun");
    io::stdout().flush()?;
    let began = Instant::now();
    let threads = (0..callers).map(|caller| {
        let run = Arc::clone(&run);
        thread::spawn(move || run.call(caller, callers, began))
    });
    let mut tally = Tally::default();
    for thread in threads.collect::<Vec<_>>() {
        tally.add(thread.join().map_err(|_| "a caller died")?);
    }
    println!("{}", tally.to_json(began.elapsed().saturating_sub(warm)));
    Ok(())
}

struct Run {
    address: String,
    requests: Vec<Vec<u8>>,
    warm: Duration,
    end: Duration,
    member: String,
    admitted: String,
    is_over: AtomicBool,
}

impl Run {
    /// One caller, until the end.
    fn call(&self, caller: usize, step: usize, began: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut connection = None;
        for turn in 0.. {
            let sent = began.elapsed();
            if sent >= self.end || self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let Some(request) = self.requests.get((caller + turn * step) % self.requests.len()) else { break };
            let answer = self.send(&mut connection, request);
            let took = began.elapsed().saturating_sub(sent);
            let outcome = match answer {
                Ok(answer) => {
                    let is_admitted = (200..300).contains(&answer.status) && self.holds_admitted(&answer.body);
                    let sign = if is_admitted { "+" } else { "" };
                    let code = answer.member(&self.member).unwrap_or_default();
                    let said = format!("{sign}{} {code}", answer.status);
                    Outcome { said: said.trim_end().to_owned(), is_admitted, sent, took: Some(took) }
                }
                Err(error) => {
                    connection = None;
                    thread::sleep(AFTER_A_BREAK);
                    let said = if error.kind() == io::ErrorKind::ConnectionRefused { "unreachable" } else { "broken" };
                    Outcome { said: said.to_owned(), is_admitted: false, sent, took: None }
                }
            };
            tally.note(outcome, sent >= self.warm);
        }
        tally
    }

    fn send(&self, connection: &mut Option<BufReader<TcpStream>>, request: &[u8]) -> io::Result<Answer> {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(request)?;
        let answer = Answer::read(&mut stream)?;
        if !answer.is_last {
            *connection = Some(stream);
        }
        Ok(answer)
    }

    fn holds_admitted(&self, body: &[u8]) -> bool {
        let text = self.admitted.as_bytes();
        text.is_empty() || body.windows(text.len()).any(|part| part == text)
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const AFTER_A_BREAK: Duration = Duration::from_millis(50);
