import WireFormat

/// Examples of requests. A test sends each of them.
enum Examples {
    /// The specification's own request, and one that carries its data.
    static let optimize: [(String, JSONValue)] = [
        ("inline", inline),
        (
            "specification",
            [
                "assets": ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"], "start_date": "2018-01-01", "end_date": "2023-01-01",
                "model": "Classic", "risk_measure": "MV", "objective": "Sharpe", "risk_free_rate": 0,
                "constraints": [
                    "lower_bound": 0, "upper_bound": 0.3,
                    "groups": ["Tech": ["AAPL", "MSFT", "GOOGL"], "Finance": ["JPM", "BAC"]],
                    "group_constraints": ["Tech": ["min": 0.2, "max": 0.6], "Finance": ["min": 0.1, "max": 0.4]],
                ],
            ]
        ),
    ]

    private static let inline: JSONValue = [
        "returns": [
            "dates": ["2023-01-03", "2023-01-04", "2023-01-05", "2023-01-06", "2023-01-09"],
            "values": ["AAPL": [0.010, -0.004, 0.006, 0.012, -0.002], "MSFT": [-0.003, 0.008, 0.002, -0.001, 0.007]],
        ],
        "objective": "MinRisk",
    ]

    static let recalculation: [(String, JSONValue)] = [
        ("standard", ["enabled": true, "quiet_ms": 250, "max_wait_ms": 2000]), ("off", ["enabled": false]),
    ]

    static let holdings: [(String, JSONValue)] = [
        (
            "lots",
            [
                "currency": "USD", "cash": "12500.00",
                "holdings": [
                    [
                        "asset": "AAPL",
                        "lots": [
                            ["id": "L1", "acquired": "2024-03-01", "quantity": "120", "basis_per_share": "172.40"]
                        ],
                    ],
                    ["asset": "MSFT", "quantity": "10.5"],
                ],
            ]
        )
    ]

    static let ndjson =
        "{\"asset_symbol\":\"AAPL\",\"timestamp\":\"2023-05-01T00:00:00Z\",\"price\":150.25,\"volume\":15000000}\n"
    static let csv = "asset_symbol,timestamp,price,volume\nAAPL,2023-05-02,151.10,14000000\n"

    static let pushBody: JSONValue = [
        "required": true,
        "content": [
            "application/x-ndjson": [
                "schema": [
                    "type": "string", "minLength": 1,
                    "description": .string("A MarketDataRow as JSON on each line, as in " + ndjson),
                ]
            ],
            "text/csv": [
                "schema": [
                    "type": "string", "description": "A header with the members of MarketDataRow, then a row a line.",
                    "minLength": 1,
                ],
                "examples": ["row": ["value": .string(csv)]],
            ],
        ],
    ]
}
