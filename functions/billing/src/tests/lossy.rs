//! A wire that loses the answers to chosen calls after the table has carried them out.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// How many answers to transactions are still to be lost.
#[derive(Clone, Default)]
pub(crate) struct Lossy(Arc<AtomicU32>);

impl Lossy {
    /// Loses the next `count` answers to transactions.
    pub(crate) fn lose(&self, count: u32) {
        self.0.store(count, Ordering::SeqCst);
    }

    /// How many are still to be lost.
    pub(crate) fn left(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// The wire's end, with the table at the other.
    pub(crate) async fn before(&self, table: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let lossy = self.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let lossy = lossy.clone();
                tokio::spawn(async move { lossy.carry(caller, TcpStream::connect(table).await.unwrap()).await });
            }
        });
        own
    }

    async fn carry(&self, mut caller: TcpStream, mut table: TcpStream) {
        let (mut question, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
        let mut is_transaction = false;
        loop {
            tokio::select! {
                read = caller.read(&mut question) => {
                    let Ok(bytes @ 1..) = read else { return };
                    is_transaction |= question[..bytes].windows(18).any(|window| window == b"TransactWriteItems");
                    if table.write_all(&question[..bytes]).await.is_err() { return }
                }
                read = table.read(&mut answer) => {
                    let Ok(bytes @ 1..) = read else { return };
                    let lose = |left: u32| left.checked_sub(1);
                    if is_transaction && self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
                        return;
                    }
                    is_transaction = false;
                    if caller.write_all(&answer[..bytes]).await.is_err() { return }
                }
            }
        }
    }
}
