"""GitOps for firmware: drives rollouts that manifests declare to their declared state, one pass at a time.

One pass, from input to output:

    rollouts/*.yaml --manifest, policies--> Rollout, Environment     (text, schema, rules; errors as file:line:column)
    Rollout, Record --backends.observe----> Observation              (reads only)
    Record, Observation --planning.assess-> Record', Plan, events    (pure; uses state, drift, verdicts, schedule)
    Plan --backends.lower-----------------> Call                     (exact parameters; `plan` stops here and prints)
    Call --reconcile, backends.send-------> Receipt                  (intents in the journal before, outcomes after)

`reconcile` repeats the pass until nothing is ready. `report` renders results. `rehearsal` runs the same loop against
the simulator on a fast clock. docs/architecture.md has the layers; `lint-imports` holds them.
"""

__version__ = "0.1.0"
