#!/bin/sh
# For CI systems other than GitHub: `ci/otactl.sh check` in a merge request, `ci/otactl.sh reconcile` on a schedule.
# OTACTL_JOURNAL names the journal, for example s3://BUCKET/PREFIX. Credentials are those of the job: read-only for check.
# Keep the folder OTACTL_VENV (.venv) between jobs, and the second job downloads nothing.
# check writes otactl-report/: plan.md for a comment, whole-plan.md, validate.xml and plan.xml (JUnit), validate.sarif and
# plan.sarif. Without OTACTL_JOURNAL, as in a fork without credentials, the plan is offline. OTACTL_BASE is the branch to
# merge into, such as origin/main: rollouts that differ from it come first.
set -eu
cd "$(dirname "$0")/.."
venv="${OTACTL_VENV:-.venv}"
otactl="$venv/bin/otactl"
if [ "$("$otactl" --version 2>/dev/null || true)" != "otactl VERSION" ]; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "otactl[radio]==VERSION"
fi

case "${1:-}" in
check)
  mkdir -p otactl-report
  "$otactl" validate ROLLOUTS --output sarif >otactl-report/validate.sarif || true
  if ! "$otactl" validate ROLLOUTS --output junit >otactl-report/validate.xml; then
    "$otactl" validate ROLLOUTS
  fi
  if [ -n "${OTACTL_JOURNAL:-}" ]; then
    set -- ROLLOUTS
  else
    unset OTACTL_JOURNAL
    set -- ROLLOUTS --offline
  fi
  if [ -n "${OTACTL_BASE:-}" ]; then
    set -- "$@" --changed-since "$OTACTL_BASE"
  fi
  code=0
  "$otactl" plan "$@" --output markdown --exit-code 0 --whole otactl-report/whole-plan.md --sarif otactl-report/plan.sarif \
    --junit otactl-report/plan.xml >otactl-report/plan.md || code=$?
  cat otactl-report/plan.md
  exit "$code"
  ;;
reconcile)
  if [ -z "${OTACTL_JOURNAL:-}" ]; then
    echo "ci/otactl.sh: OTACTL_JOURNAL is empty; set it to the journal, s3://BUCKET/PREFIX: the disk of a job forgets what was sent" >&2
    exit 1
  fi
  "$otactl" reconcile ROLLOUTS
  ;;
*)
  echo "usage: ci/otactl.sh check | reconcile" >&2
  exit 1
  ;;
esac
