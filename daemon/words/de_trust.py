"""German for en_trust.py, the box's certificate."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "trust.title": "Dieser Box vertrauen",
    "trust.about": (
        "Diese Box weist sich mit einem Zertifikat aus, das sie selbst gemacht hat. Sagen Sie diesem Gerät einmal, dass es ihr vertraut; "
        "danach öffnen sich die Seiten ohne Warnung, und eine Warnung bedeutet, dass etwas nicht stimmt."
    ),
    "trust.own": (
        "Andere Geräte erreichen die Seiten über eine verschlüsselte Verbindung. Jedem muss einmal gesagt werden, dass es dieser Box "
        "vertraut: dort eine der Adressen unten öffnen und den angezeigten Fingerabdruck mit diesem vergleichen."
    ),
    "trust.download": "Zertifikat herunterladen",
    "trust.fingerprint": "Fingerabdruck (SHA-256)",
    "trust.until": "gültig bis {day}",
    "trust.compare": (
        "Vor dem Installieren: am Bildschirm der Box Einstellungen öffnen, dann Dieser Box vertrauen, und den Fingerabdruck dort mit dem "
        "vergleichen, den Ihr Gerät für die heruntergeladene Datei zeigt. Sind sie verschieden, nicht installieren und den Techniker rufen."
    ),
    "trust.compare.own": "Nur diesem Bildschirm ist dabei zu glauben: was ein anderes Gerät zeigt, kann unterwegs verändert worden sein.",
    "trust.go": "Seiten öffnen",
    "trust.names": "Adressen der Seiten",
    "trust.names.own": "Auf dem anderen Gerät zu öffnen",
    "trust.served_until": "Das Zertifikat dieser Adressen gilt bis {day}; die Box erneuert es von selbst.",
    "trust.ways": "Was zu drücken ist",
    "trust.house": "Das Zertifikat ist von der Zertifizierungsstelle dieses Hauses und gilt bis {until}. Die Geräte des Hauses vertrauen ihm schon.",
    "trust.none": "Diese Box hat noch kein Zertifikat.",
    "trust.none.help": (
        "Sie macht eines, sobald ihre Uhr gestellt ist und sie eine Adresse hat. Der eigene Bildschirm der Box kommt ohne aus. Was fehlt, "
        "sieht ein Techniker mit `vitald cert show`."
    ),
    "trust.not_served": "Andere Geräte werden nicht über eine verschlüsselte Verbindung bedient: so steht es in `[web]` der Konfiguration.",
    "trust.encrypted_only": "Nur über eine verschlüsselte Verbindung: https. Was eben gesendet wurde, konnte unterwegs gelesen werden.",
    "trust.link": "Dieser Box vertrauen",
    "trust.way.windows": "Windows: Edge und Chrome",
    "trust.way.windows.1": "In PowerShell zeigt Get-FileHash mit dem Namen der heruntergeladenen Datei den Fingerabdruck: vergleichen.",
    "trust.way.windows.2": "Die Datei öffnen. Zertifikat installieren wählen, dann Aktueller Benutzer, oder Lokaler Computer für alle dort.",
    "trust.way.windows.3": "Alle Zertifikate in folgendem Speicher speichern, Durchsuchen, Vertrauenswürdige Stammzertifizierungsstellen wählen.",
    "trust.way.windows.4": "Fertig stellen, mit Ja antworten und den Browser neu starten.",
    "trust.way.firefox": "Firefox-Browser",
    "trust.way.firefox.1": "Einstellungen, Datenschutz & Sicherheit, Zertifikate, Zertifikate anzeigen, Zertifizierungsstellen öffnen.",
    "trust.way.firefox.2": "Importieren und die heruntergeladene Datei wählen; Ansehen zeigt ihren Fingerabdruck.",
    "trust.way.firefox.3": "Ankreuzen: Dieser CA vertrauen, um Websites zu identifizieren.",
    "trust.way.firefox.4": "Auf Geräten, die das Haus verwaltet, gilt vielleicht schon, was Windows vertraut (security.enterprise_roots.enabled).",
    "trust.way.mac": "macOS: Safari und Chrome",
    "trust.way.mac.1": "Die heruntergeladene Datei öffnen: die Schlüsselbundverwaltung fragt nach einem Schlüsselbund; System nehmen.",
    "trust.way.mac.2": "Den Eintrag öffnen, den Fingerabdruck vergleichen und unter Vertrauen Immer vertrauen wählen.",
    "trust.way.ios": "iPhone und iPad",
    "trust.way.ios.1": "Diese Seite in Safari öffnen, das Zertifikat herunterladen und das Profil erlauben.",
    "trust.way.ios.2": "Einstellungen, Profil geladen öffnen; unter Mehr Details den Fingerabdruck vergleichen, dann Installieren.",
    "trust.way.ios.3": "Einstellungen, Allgemein, Info, Zertifikatsvertrauenseinstellungen öffnen und es für diese Box einschalten.",
    "trust.way.android": "Android mit Chrome",
    "trust.way.android.1": "Einstellungen, Sicherheit, Verschlüsselung & Anmeldedaten, Zertifikat installieren, CA-Zertifikat öffnen.",
    "trust.way.android.2": "Trotzdem installieren antworten und die heruntergeladene Datei wählen.",
    "trust.way.linux": "Linux: Chrome und Chromium",
    "trust.way.linux.1": "Einstellungen, Datenschutz und Sicherheit, Sicherheit, Zertifikate verwalten, Zertifizierungsstellen öffnen (oder: Von Ihnen installiert).",
    "trust.way.linux.2": "Importieren und die heruntergeladene Datei wählen und erlauben, dass sie Websites identifiziert.",
    "trust.way.many": "Viele Geräte auf einmal",
    "trust.way.many.1": "Die Administratoren des Hauses können die Datei an alle verteilen (Gruppenrichtlinie, MDM).",
    "trust.way.many.2": "Oder die Zertifizierungsstelle des Hauses unterschreibt das Zertifikat der Box, und nichts wird installiert: `vitald cert csr`.",
    "cert.none": "Es gibt kein Zertifikat: {why}",
    "cert.why.local": "die Seiten sind nur für dieses Gerät da (web.host), oder web.tls ist aus.",
    "cert.why.clock": "der Uhr ist nicht zu glauben (`vitald time`). `vitald cert renew` macht trotzdem eines.",
    "cert.why.address": "die Box hat noch keine Adresse.",
    "cert.why.not_yet": "`vitald cert renew` macht jetzt eines; auf einer Box tut es vitald-cert.timer.",
    "cert.made": "Ein Zertifikat wurde gemacht.",
    "cert.authority_made": "Die Zertifizierungsstelle der Box wurde gemacht, und ein Zertifikat. Den Browsern muss gesagt werden, dass sie ihr vertrauen: /trust auf den Seiten.",
    "cert.kept": "Das Zertifikat bleibt, wie es ist.",
    "cert.kind.own": "von der eigenen Stelle der Box",
    "cert.kind.house": "von der Stelle des Hauses",
    "cert.line": "Zertifikat {kind}, von {issuer}",
    "cert.names": "für {names}",
    "cert.days": "gültig bis {day}, {days} Tage",
    "cert.ended": "endete am {day}: Browser warnen davor",
    "cert.renewed": "wird ab {day} von selbst erneuert",
    "cert.not_renewed": "wird nicht von selbst erneuert: rechtzeitig `vitald cert csr`",
    "cert.authority": "Zertifizierungsstelle {name}, gültig bis {day}",
    "cert.fingerprint": "SHA-256: {print}",
    "cert.uncovered": "nicht enthalten: {names}. Die Stelle darf dafür nicht unterschreiben: `vitald cert renew --authority`, und die Browser vertrauen neu.",
    "cert.asked": "{path} unterschreiben lassen, dann: vitald cert install CERTIFICATE.pem. Der Schlüssel bleibt in der Box.",
    "cert.installed": "Das Zertifikat wird von jetzt an benutzt, bis {day}.",
    "cert.is_house": "Das Zertifikat ist das des Hauses: `vitald cert csr` bittet um ein neues, `vitald cert renew --own` kehrt zum eigenen der Box zurück.",
    "cert.no_right": "{path}: {why}. Als root aufrufen.",
    "cert.bad.pem": "{path}: kein Zertifikat als PEM-Text.",
    "cert.bad.key": "Das Zertifikat gehört zu einem anderen Schlüssel: weder zu dem des letzten `vitald cert csr` noch zu dem benutzten.",
    "cert.bad.ended": "Das Zertifikat gilt jetzt nicht: von {since} bis {until}.",
    "cert.bad.names": "Das Zertifikat hat keinen der Namen der Box: {names}.",
    "cert.bad.use": "Das Zertifikat ist nicht für Server (extended key usage).",
    "cert.bad.chain": "Die Zertifikate sind keine Kette: {name} hat das davor nicht unterschrieben.",
    "cert.bad.clock": "Die Uhr sagt {day}: sie wurde nie gestellt (`vitald time`).",
}
