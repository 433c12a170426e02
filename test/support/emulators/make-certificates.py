"""Makes a certificate authority of its own and a certificate for this machine's loopback: FOLDER/{ca.pem,server.pem,server.key}."""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

folder = pathlib.Path(sys.argv[1])
now = datetime.datetime.now(datetime.timezone.utc)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, public_key, issuer, lasts=datetime.timedelta(days=2)):
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + lasts)
    )


def usage(**allowed):
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
        " encipher_only decipher_only"
    )
    return x509.KeyUsage(**{use: allowed.get(use, False) for use in every.split()})


authority_key = ec.generate_private_key(ec.SECP256R1())
authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
authority = (
    certificate("Test authority", authority_key.public_key(), "Test authority")
    .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
    .add_extension(authority_id, critical=False)
    .sign(authority_key, hashes.SHA256())
)

server_key = ec.generate_private_key(ec.SECP256R1())
server = (
    certificate("localhost", server_key.public_key(), "Test authority")
    .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    .add_extension(usage(digital_signature=True), critical=True)
    .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
    .add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
        critical=False,
    )
    .sign(authority_key, hashes.SHA256())
)

(folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
(folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
key = folder / "server.key"
key.touch(mode=0o600)
key.write_bytes(
    server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)
