package exporter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
)

// A data directory has one log that grows, in log/. A restart closes it and
// begins another under a name of its own; closed ones stay as they are in
// log.1/, log.2/ and so on, oldest first, for what is in them stays provable.
// nextLogDir is there only while the new log takes its place.
const nextLogDir = "log.next"

// The errors of a log that does not fit its anchor.
var (
	ErrRolledBack = tilelog.ErrRolledBack
	ErrNoAnchor   = tilelog.ErrNoAnchor
)

func closedLogDir(data string, n int) string {
	return filepath.Join(data, fmt.Sprintf("%s.%d", logDir, n))
}

// firstOrigin names the log that an instance begins with. The names of later
// ones begin with it, and a slash.
func firstOrigin(instance string) string { return "licensekit/" + instance }

// closedLogs counts the logs that were closed.
func closedLogs(data string) (n int, err error) {
	for ; ; n++ {
		switch _, err := os.Lstat(closedLogDir(data, n+1)); {
		case errors.Is(err, fs.ErrNotExist):
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// originIn is the name of the log in a directory, fs.ErrNotExist if there is
// none. It must be one of the instance's.
func originIn(dir, instance string) (string, error) {
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	c, err := tilelog.ParseCheckpoint(signed)
	if err == nil && !isOurs(c.Origin, instance) {
		err = fmt.Errorf("it is log %s, which is not of instance %s", c.Origin, instance)
	}
	if err != nil {
		return "", fmt.Errorf("open log %s: %w", dir, err)
	}
	return c.Origin, nil
}

func isOurs(origin, instance string) bool {
	first := firstOrigin(instance)
	return origin == first || strings.HasPrefix(origin, first+"/")
}

// openLogs opens the closed logs, then the one that grows. What it opened is
// in e.logs also after an error.
func (e *Exporter) openLogs(data string, key *evidence.SigningKey) error {
	if err := finishRestart(data); err != nil {
		return err
	}
	closed, err := closedLogs(data)
	if err != nil {
		return err
	}
	for n := range closed {
		dir := closedLogDir(data, n+1)
		origin, err := originIn(dir, e.instance)
		if err != nil {
			return err
		}
		if err := e.addLog(evidence.OpenLog(dir, key, origin)); err != nil {
			return err
		}
	}
	return e.openGrowing(data, key, closed)
}

func (e *Exporter) openGrowing(data string, key *evidence.SigningKey, closed int) error {
	dir := filepath.Join(data, logDir)
	origin, err := originIn(dir, e.instance)
	if errors.Is(err, fs.ErrNotExist) && closed == 0 {
		origin, err = firstOrigin(e.instance), nil
	}
	if err != nil {
		return err
	}
	if e.opts.Anchor == "" {
		err = e.addLog(evidence.OpenLog(dir, key, origin))
	} else if err = outside(data, e.opts.Anchor); err == nil {
		err = e.addLog(evidence.OpenAnchoredLog(dir, key, origin, e.opts.Anchor))
	}
	if err == nil {
		e.log = e.logs[closed]
	}
	return err
}

// outside refuses an anchor that would be restored along with the directory.
func outside(data, anchor string) error {
	data, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	if data, err = filepath.EvalSymlinks(data); err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Dir(anchor))
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fmt.Errorf("anchor %s: %w", anchor, err)
	}
	if rel, err := filepath.Rel(data, dir); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("anchor %s is inside the data directory, and would be restored with it", anchor)
	}
	return nil
}

func (e *Exporter) addLog(l *tilelog.Log, err error) error {
	if err == nil {
		e.logs = append(e.logs, l)
	}
	return err
}

func (e *Exporter) closeLogs() error {
	var errs []error
	for _, l := range e.logs {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// logOf finds the log of a name.
func (e *Exporter) logOf(origin string) (*tilelog.Log, error) {
	for _, l := range e.logs {
		if l.Origin() == origin {
			return l, nil
		}
	}
	return nil, fmt.Errorf("log %s: %w", origin, fs.ErrNotExist)
}

// prove proves that an export is where its manifest says, in the tree of a size.
func (e *Exporter) prove(envelope *evidence.Envelope, size int64) (*tilelog.Proof, error) {
	m, err := envelope.Parse()
	if err != nil {
		return nil, err
	}
	l, err := e.logOf(m.Log.Origin)
	if err != nil {
		return nil, err
	}
	return l.Prove(m.Log.Index, size)
}

// checkLogs walks the leaves, whose hashes each log compares with its tree.
func (e *Exporter) checkLogs(ctx context.Context, r *CheckResult) error {
	for _, l := range e.logs {
		err := l.Walk(ctx, 0, func(index int64, leaf []byte) error {
			r.Checked.Entries++
			r.note("log", fmt.Sprintf("%s %d", l.Origin(), index), e.checkLeaf(leaf))
			return ctx.Err()
		})
		if ctx.Err() == nil {
			r.note("log", l.Origin(), err)
		}
	}
	return nil
}

func (e *Exporter) checkLeaf(leaf []byte) error {
	kind, err := evidence.LeafType(leaf)
	if err != nil {
		return err
	}
	switch kind {
	case evidence.PredicateType:
		m, err := evidence.ParseManifest(leaf)
		if err == nil {
			_, err = e.entry(ID(m.ExportID))
		}
		return err
	case evidence.RestartType:
		return e.checkRestart(leaf)
	}
	return nil
}
