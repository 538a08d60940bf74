"""What makes a computer an appliance: doctor, crash reports, hardware, updates, bundles for support."""
