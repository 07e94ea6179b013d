"""A door that speaks TLS before a store that does not: `tls_door.py CERTIFICATE KEY LISTEN_PORT STORE_PORT`.

A process of its own, so that what it works is not taken from whoever measures.
"""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import time

SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


class TlsDoor:
    """The door with a certificate of its own, which whoever knocks is told to trust."""

    def __init__(self, folder, store_port):
        certificate, key = os.path.join(folder, "door.pem"), os.path.join(folder, "door.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = "https://localhost:%d" % port
        # Beside it all that this machine trusts: to read those is part of every start.
        trusted = os.path.join(folder, "trusted.pem")
        with open(trusted, "wb") as bundle:
            for part in (certificate, SYSTEM_BUNDLE):
                with open(part, "rb") as file:
                    bundle.write(file.read())
        self.trust = {"SSL_CERT_FILE": trusted, "AWS_CA_BUNDLE": trusted, "NODE_EXTRA_CA_CERTS": certificate}
        self.process = subprocess.Popen([sys.executable, __file__, certificate, key, str(port), str(store_port)])
        for _ in range(100):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the door does not open")

    def close(self):
        self.process.terminate()
        self.process.wait()


async def serve(certificate, key, port, store_port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def carry(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def accept(reader, writer):
        store_reader, store_writer = await asyncio.open_connection("127.0.0.1", store_port)
        await asyncio.gather(carry(reader, store_writer), carry(store_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
