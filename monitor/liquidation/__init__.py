"""The liquidation model in the service: what each market brings to it, and what follows for an asset. Engines: `engines.liquidation`."""
