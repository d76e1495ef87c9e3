"""Certificates of tests, made by openssl: an authority, what is below it, and its key."""

import subprocess

from tests.programs import command

EXTENSIONS = "basicConstraints=critical,CA:TRUE\n"


def openssl(*arguments, **options):
    return subprocess.run([command("openssl"), *arguments], capture_output=True, **options)


def make_chain(folder, algorithm="rsa:2048"):
    """Return the paths of an authority, of a certificate with an intermediate one, and its key."""
    create("root", folder, algorithm)
    create("intermediate", folder, algorithm, issuer="root")
    create("signer", folder, algorithm, issuer="intermediate", extensions="")
    chain = folder / "chain.pem"
    parts = (folder / "signer.pem", folder / "intermediate.pem")
    chain.write_text("".join(part.read_text() for part in parts))
    return folder / "root.pem", chain, folder / "signer.key"


def create(name, folder, algorithm, issuer="", extensions=EXTENSIONS):
    """Write `name.pem` and `name.key`: signed by the issuer, or by itself."""
    kind, _colon, size = algorithm.partition(":")
    name_of_size = "rsa_keygen_bits" if kind == "rsa" else "ec_paramgen_curve"
    option = ["-pkeyopt", f"{name_of_size}:{size}"] if size else []
    key, request = folder / f"{name}.key", folder / f"{name}.csr"
    openssl("genpkey", "-algorithm", kind, *option, "-out", key, check=True)
    openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request, check=True)
    (folder / "extensions").write_text(extensions)
    signer = ["-CA", folder / f"{issuer}.pem", "-CAkey", folder / f"{issuer}.key"]
    openssl(
        *("x509", "-req", "-in", request, "-days", "2", "-extfile", folder / "extensions"),
        *(signer if issuer else ["-signkey", key]),
        *("-out", folder / f"{name}.pem"),
        check=True,
    )
