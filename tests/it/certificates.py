# SPDX-License-Identifier: BSD-2-Clause
"""Certificates for tests that speak TLS, made by openssl(1) as an administrator would make them."""
import os
import subprocess

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*argv):
    done = subprocess.run(["openssl", *argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"openssl {argv}: {done.stderr}")


class Authority:
    """One who signs: ca is the file of its own certificate."""

    def __init__(self, folder, name="authority"):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.name = folder, name
        self.ca, self.key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
        openssl("req", "-x509", *KEY, "-keyout", self.key, "-out", self.ca, "-days", "2", "-subj", f"/CN={name}")

    def sign(self, name, alternative="IP:127.0.0.1", days="2"):
        """Returns the files of a certificate and of its key; alternative: who it is of; days: -1 has expired."""
        path = f"{self.folder}/{self.name}-{name}"
        openssl("req", *KEY, "-keyout", f"{path}.key", "-out", f"{path}.csr", "-subj", f"/CN={name}")
        with open(f"{path}.ext", "w", encoding="ascii") as handle:
            handle.write(f"subjectAltName = {alternative}\n")
        openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                "-days", days, "-extfile", f"{path}.ext", "-out", f"{path}.pem")
        return f"{path}.pem", f"{path}.key"
