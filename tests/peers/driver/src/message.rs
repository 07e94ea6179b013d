//! HTTP/1.1 messages on a connection that is kept open.

use std::io::{self, BufRead, Read};

/// An answer: its status, whether the connection ends with it, and its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// 100 to 599.
    pub status: u16,
    /// Whether the other side closes the connection.
    pub is_last: bool,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads one answer.
    ///
    /// # Errors
    /// Where the connection ends within it, or what comes is no HTTP/1.1.
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let head = Head::read(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { status, is_last: head.is_last, body: head.read_body(from)? })
    }

    /// The text of a string member of a JSON body, by its name alone and wherever it stands.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let after = text.split_once(&format!("\"{name}\""))?.1.trim_start().strip_prefix(':')?.trim_start();
        let word = after.strip_prefix('"')?.split('"').next()?;
        Some(word.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).take(60).collect())
    }
}

/// The lines before a body.
#[derive(Debug)]
pub struct Head {
    /// The first line.
    pub first: String,
    /// All bytes up to the empty line, which they include.
    pub bytes: Vec<u8>,
    /// What `X-Amz-Target` says.
    pub target: Option<String>,
    length: usize,
    is_chunked: bool,
    is_last: bool,
}

impl Head {
    /// Reads one head; none where the connection ended in order.
    ///
    /// # Errors
    /// Where the connection ends within it.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = Self {
            first: String::new(),
            bytes: Vec::new(),
            target: None,
            length: 0,
            is_chunked: false,
            is_last: false,
        };
        loop {
            let begin = head.bytes.len();
            if from.read_until(b'\n', &mut head.bytes)? == 0 {
                return if begin == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let line = String::from_utf8_lossy(head.bytes.get(begin..).unwrap_or_default()).trim_end().to_owned();
            match (begin, line.split_once(':')) {
                (0, _) => head.first = line,
                (_, Some((name, value))) => head.note(name, value.trim()),
                (_, None) => return Ok(Some(head)),
            }
        }
    }

    /// The body as it is on the wire, chunks included.
    ///
    /// # Errors
    /// Where the connection ends within it.
    pub fn read_wire(&self, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut wire = vec![0; self.length];
        from.read_exact(&mut wire)?;
        Ok(wire)
    }

    fn note(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => self.length = value.parse().unwrap_or(0),
            "transfer-encoding" => self.is_chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => self.is_last = value.eq_ignore_ascii_case("close"),
            "x-amz-target" => self.target = Some(value.to_owned()),
            _ => {}
        }
    }

    fn read_body(&self, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
        if !self.is_chunked {
            return self.read_wire(from);
        }
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            from.by_ref().take(size).read_to_end(&mut body)?;
            line.clear();
            from.read_line(&mut line)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let mut wire =
            &b"HTTP/1.1 429 Slow\r\nContent-Length: 18\r\n\r\n{\"code\": \"a-b\", 1}HTTP/1.1 200 OK\r\n\r\n"[..];
        let first = Answer::read(&mut wire).unwrap();
        assert_eq!((first.status, first.member("code")), (429, Some("a_b".to_owned())));
        assert_eq!(Answer::read(&mut wire).unwrap().status, 200);
        Answer::read(&mut wire).unwrap_err();
    }

    #[test]
    fn chunks_are_put_together() {
        let mut wire = &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"[..];
        assert_eq!(Answer::read(&mut wire).unwrap().body, b"abcde");
    }
}
