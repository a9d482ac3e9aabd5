package exporter

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/ledger"
	"licensekit/exporter/metadb"
	"licensekit/exporter/sealed"
)

// A meta.db that may be damaged in any way is read by another process, in case
// bbolt crashes over it, or never comes to an end: this program again, with
// [inspectCommand], how thoroughly, and the file.
const (
	inspectCommand = "inspect-database"
	thoroughly     = "thoroughly"
	structure      = "structure"
	inspecting     = "LICENSEKIT_INSPECTING" // set in that process
)

// inspection is what that process prints.
type inspection struct {
	metadb.Contents
	Problem string `json:"problem,omitempty"`
}

// AnswerInspection does the work of a process that was started for it, and
// tells whether this one was. Whatever opens data directories calls it first.
func AnswerInspection(args []string, stdout io.Writer) bool {
	if os.Getenv(inspecting) == "" || len(args) != 4 || args[1] != inspectCommand {
		return false
	}
	debug.SetMaxStack(64 << 20) // a tree whose branch leads to itself
	var found inspection
	contents, err := inspect(args[3], args[2] == thoroughly)
	if found.Contents = contents; err != nil {
		found.Problem = err.Error()
	}
	json.NewEncoder(stdout).Encode(found)
	return true
}

// inspectApart has a file inspected by another process. Its time is limited.
func inspectApart(ctx context.Context, path string, thorough bool) (metadb.Contents, error) {
	if os.Getenv(inspecting) != "" {
		return metadb.Contents{}, errors.New("this process was started to inspect a database, and does not know it")
	}
	info, err := os.Stat(path)
	if err != nil {
		return metadb.Contents{}, err
	}
	limit := 30*time.Second + time.Duration(info.Size()>>20)*time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return metadb.Contents{}, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = []string{os.Args[0], inspectCommand, structure, path}
	if thorough {
		cmd.Args[2] = thoroughly
	}
	cmd.Env = append(os.Environ(), inspecting+"=1")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return metadb.Contents{}, fmt.Errorf("inspect %s: %w", path, err)
	}
	err = cmd.Wait()
	var found inspection
	switch problem := json.Unmarshal(stdout.Bytes(), &found); {
	case err == nil && problem == nil && found.Problem == "":
		return found.Contents, nil
	case err == nil && problem == nil:
		return metadb.Contents{}, fmt.Errorf("%w: %s", metadb.ErrDamaged, found.Problem)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return metadb.Contents{}, fmt.Errorf("%w: reading it did not end within %s", metadb.ErrDamaged, limit)
	case ctx.Err() != nil:
		return metadb.Contents{}, ctx.Err()
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	if code := cmd.ProcessState.ExitCode(); code != exitCrashed && code != exitKilled {
		return metadb.Contents{}, fmt.Errorf("inspect %s: %v: %s", path, err, first)
	}
	return metadb.Contents{}, fmt.Errorf("%w: reading it crashed: %s", metadb.ErrDamaged, cmp.Or(first, fmt.Sprint(err)))
}

// How a process ends that reads what is no good: by Go's runtime, or by a
// signal.
const (
	exitCrashed = 2
	exitKilled  = -1
)

// inspect looks through a database: its pages and keys, and if it is to be
// thorough, whether every value is whole and they are of one state.
func inspect(path string, thorough bool) (contents metadb.Contents, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return contents, err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		contents.Transaction = int64(tx.ID())
		if err := metadb.CheckPages(tx, path); err != nil {
			return err
		}
		for err := range tx.Check() {
			return err
		}
		if exports := tx.Bucket([]byte(orderBucket)); exports != nil {
			contents.Exports = int64(exports.Inspect().KeyN)
		}
		if !thorough {
			return nil
		}
		return errors.Join(metadb.ReadInTime(tx), checkSealed(tx), checkIndexes(tx))
	})
	if err != nil {
		return contents, err
	}
	contents.Activities, err = inspectLedger(db, thorough)
	return contents, err
}

// inspectLedger gives the ledger's highest sequence, 0 where there is no ledger
// yet.
func inspectLedger(db *bbolt.DB, thorough bool) (sequence int64, err error) {
	facts, err := ledger.Open(readOnly{db}, ledger.Options{})
	if errors.Is(err, errReadOnly) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	err = facts.View(ctx, func(s *ledger.Snapshot) error { sequence = s.Sequence(); return nil })
	if err == nil && thorough {
		err = facts.CheckStored(ctx)
	}
	return sequence, err
}

var errReadOnly = errors.New("the database is only read")

// readOnly is a database that a ledger can be read from.
type readOnly struct{ *bbolt.DB }

func (readOnly) Update(func(*bbolt.Tx) error) error    { return errReadOnly }
func (readOnly) Exclusive(func(*bbolt.Tx) error) error { return errReadOnly }

// sealedBuckets are those of package sealed's values: this package's own, and
// those of packages audit, auth, webhook and schedule.
var sealedBuckets = []string{
	exportsBucket, idempotencyBucket, tallyBucket, scrubBucket, "audit", "audit.held", "audit.types", "auth_keys", "auth_hashes", "auth_uses",
	"webhooks", "webhooks.positions", "webhooks.deliveries", "schedules", "schedules.runs",
}

func checkSealed(tx *bbolt.Tx) error {
	for _, bucket := range sealedBuckets {
		if err := sealed.Check(tx, bucket); err != nil {
			return err
		}
	}
	return nil
}
