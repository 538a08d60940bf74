"""Sentences on the box's certificate: the page on trusting it, and `vitald cert`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "trust.title": "Trust this box",
    "trust.about": (
        "This box proves who it is with a certificate that it has made itself. Tell this machine once to trust it; from then on the "
        "pages open without a warning, and a warning means that something is wrong."
    ),
    "trust.own": (
        "Other machines reach the pages by an encrypted connection. Each has to be told once to trust this box: open one of the "
        "addresses below there, and compare the fingerprint that it shows with this one."
    ),
    "trust.download": "Download the certificate",
    "trust.fingerprint": "Fingerprint (SHA-256)",
    "trust.until": "valid until {day}",
    "trust.compare": (
        "Before you install it: open Settings, then Trust this box, on the box's own screen, and compare the fingerprint there with the one "
        "that your machine shows for the downloaded file. If they differ, do not install it, and tell a technician."
    ),
    "trust.compare.own": "Only this screen can be believed on that: what another machine shows may have been changed on its way.",
    "trust.go": "Open the pages",
    "trust.names": "Addresses of the pages",
    "trust.names.own": "To be opened on the other machine",
    "trust.served_until": "The certificate of these addresses is valid until {day}; the box renews it by itself.",
    "trust.ways": "What to press",
    "trust.house": "The certificate is of this house's own authority and valid until {until}. The house's machines trust it already.",
    "trust.none": "This box has no certificate yet.",
    "trust.none.help": (
        "It makes one as soon as its clock is set and it has an address. The box's own screen works without. A technician sees with "
        "`vitald cert show` what is missing."
    ),
    "trust.not_served": "Other machines are not served by an encrypted connection: `[web]` of the configuration says so.",
    "trust.encrypted_only": "Only by an encrypted connection: https. What was sent just now could be read on its way.",
    "trust.link": "Trust this box",
    # what to press, by system; browsers change their words, the way stays
    "trust.way.windows": "Windows: Edge, Chrome",
    "trust.way.windows.1": "In PowerShell, Get-FileHash and the name of the downloaded file shows the fingerprint: compare it.",
    "trust.way.windows.2": "Open the file. Choose Install Certificate, then Current User, or Local Machine for everybody who signs in there.",
    "trust.way.windows.3": "Choose Place all certificates in the following store, Browse, Trusted Root Certification Authorities.",
    "trust.way.windows.4": "Finish, answer Yes, and begin the browser anew.",
    "trust.way.firefox": "Firefox",
    "trust.way.firefox.1": "Open Settings, Privacy & Security, Certificates, View Certificates, Authorities.",
    "trust.way.firefox.2": "Choose Import and the downloaded file; View shows its fingerprint.",
    "trust.way.firefox.3": "Tick Trust this CA to identify websites.",
    "trust.way.firefox.4": "On machines that the house manages it may already take what Windows trusts (security.enterprise_roots.enabled).",
    "trust.way.mac": "macOS: Safari, Chrome",
    "trust.way.mac.1": "Open the downloaded file: Keychain Access asks for a keychain; take System.",
    "trust.way.mac.2": "Open the entry, compare the fingerprint, and set Trust to Always Trust.",
    "trust.way.ios": "iPhone and iPad",
    "trust.way.ios.1": "Open this page in Safari, download the certificate and allow the profile.",
    "trust.way.ios.2": "Open Settings, Profile Downloaded; compare the fingerprint under More Details, then Install.",
    "trust.way.ios.3": "Open Settings, General, About, Certificate Trust Settings, and switch it on for this box.",
    "trust.way.android": "Android: Chrome",
    "trust.way.android.1": "Open Settings, Security, Encryption & credentials, Install a certificate, CA certificate.",
    "trust.way.android.2": "Answer Install anyway and choose the downloaded file.",
    "trust.way.linux": "Linux: Chrome, Chromium",
    "trust.way.linux.1": "Open Settings, Privacy and security, Security, Manage certificates, Authorities (or: Installed by you).",
    "trust.way.linux.2": "Choose Import and the downloaded file, and allow it to identify websites.",
    "trust.way.many": "Many machines at once",
    "trust.way.many.1": "The house's administrators can hand the file out to all of them (group policy, MDM).",
    "trust.way.many.2": "Or the house's own authority signs the box's certificate, and nothing is installed: `vitald cert csr`.",
    # vitald cert
    "cert.none": "There is no certificate: {why}",
    "cert.why.local": "the pages are for this machine alone (web.host), or web.tls is off.",
    "cert.why.clock": "the clock cannot be believed (`vitald time`). `vitald cert renew` makes one all the same.",
    "cert.why.address": "the box has no address yet.",
    "cert.why.not_yet": "`vitald cert renew` makes one now; on a box vitald-cert.timer does.",
    "cert.made": "A certificate was made.",
    "cert.authority_made": "The box's authority was made, and a certificate. Browsers have to be told to trust it: /trust on the pages.",
    "cert.kept": "The certificate stays as it is.",
    "cert.kind.own": "of the box's own authority",
    "cert.kind.house": "of the house's authority",
    "cert.line": "certificate {kind}, by {issuer}",
    "cert.names": "for {names}",
    "cert.days": "valid until {day}, {days} days",
    "cert.ended": "ended on {day}: browsers warn of it",
    "cert.renewed": "renewed by itself from {day} on",
    "cert.not_renewed": "not renewed by itself: `vitald cert csr` in good time",
    "cert.authority": "authority {name}, valid until {day}",
    "cert.fingerprint": "SHA-256 {print}",
    "cert.uncovered": "not covered: {names}. The authority may not sign them: `vitald cert renew --authority`, and browsers trust it anew.",
    "cert.asked": "Have {path} signed, then: vitald cert install CERTIFICATE.pem. The key stays in the box.",
    "cert.installed": "The certificate is served from now on, until {day}.",
    "cert.is_house": "The certificate is the house's: `vitald cert csr` asks for a new one, `vitald cert renew --own` goes back to the box's own.",
    "cert.no_right": "{path}: {why}. Run it as root.",
    "cert.bad.pem": "{path}: no certificate in PEM text.",
    "cert.bad.key": "The certificate is of another key: neither of the last `vitald cert csr` nor of the one that is served.",
    "cert.bad.ended": "The certificate is not valid now: from {since} until {until}.",
    "cert.bad.names": "The certificate has none of the box's names: {names}.",
    "cert.bad.use": "The certificate is not for servers (extended key usage).",
    "cert.bad.chain": "The certificates are not a chain: {name} did not sign the one before it.",
    "cert.bad.clock": "The clock says {day}: it was never set (`vitald time`).",
}
