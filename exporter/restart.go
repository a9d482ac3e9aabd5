package exporter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"licensekit/exporter/durable"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/report"
)

// Restarted is what came of a restart of the log.
type Restarted struct {
	Closed tilelog.Checkpoint // the log that grows no more, as it is kept
	Last   tilelog.Checkpoint // the newest that is known of it
	Key    evidence.LogKey    // of the new log, for reviewers
}

// RestartLog closes the log of a data directory and begins another, whose
// first leaf says so and names the last checkpoint that is known of the closed
// one: that of the anchor, if there is one, or of the directory. It is for a
// directory that was restored from an older copy, whose log must not go on as
// if nothing had been. The new log has a name of its own and the same key.
//
// In this order, each step durable: the new log in tmp/, its place beside the
// old one, the old one's new name, the new one's, the anchor. From the second
// on a crash is made up for when the directory is opened again. Only Keys,
// Anchor and Now of opts count.
func RestartLog(ctx context.Context, d *Directory, opts Options) (*Restarted, error) {
	r, err := restartLog(ctx, d, opts)
	if err != nil {
		return nil, fmt.Errorf("restart the log of %s: %w", d.Path, err)
	}
	return r, nil
}

func restartLog(ctx context.Context, d *Directory, opts Options) (*Restarted, error) {
	if err := finishRestart(d.Path); err != nil {
		return nil, err
	}
	keys := cmp.Or(opts.Keys, d.Keys())
	logKey, err := evidence.Load(keys, evidence.ForLog)
	if err != nil {
		return nil, err
	}
	key, err := evidence.Load(keys, evidence.ForExport)
	if err != nil {
		return nil, err
	}
	kept, last, err := closing(d, keys, logKey, opts.Anchor)
	if err != nil {
		return nil, err
	}
	origin, err := nextOrigin(d)
	if err != nil {
		return nil, err
	}
	staged := filepath.Join(d.Tmp(), nextLogDir)
	err = evidence.BeginLog(ctx, staged, logKey, key, evidence.Restart{
		Instance: d.Instance, Kept: kept.Signed, Last: last.Signed, At: report.Instant(opts.Now().UnixMilli()),
		Log: evidence.LogPosition{Origin: origin},
	})
	if err != nil {
		return nil, err
	}
	if err := durable.Rename(staged, filepath.Join(d.Path, nextLogDir)); err != nil {
		return nil, err
	}
	if err := finishRestart(d.Path); err != nil {
		return nil, err
	}
	named, err := evidence.NewLogKey(origin, logKey.Public)
	if err == nil && opts.Anchor != "" {
		err = anchorAnew(d.Log(), logKey, origin, opts.Anchor)
	}
	return &Restarted{Closed: kept.Checkpoint, Last: last.Checkpoint, Key: named}, err
}

// closing gives the newest checkpoint of the log that is to be closed, which
// must be whole, and the newest that was signed. They differ where an anchor
// shows what the log does not continue.
func closing(d *Directory, keys string, logKey *evidence.SigningKey, anchor string) (kept, last tilelog.Head, err error) {
	origin, err := originIn(d.Log(), d.Instance)
	if err != nil {
		return kept, last, err
	}
	l, _, err := evidence.OpenClosedLog(d.Log(), keys)
	if err != nil {
		return kept, last, err
	}
	defer l.Close()
	known, err := anchored(d, logKey, anchor)
	if err != nil || known == nil {
		return l.Head(), l.Head(), err
	}
	if known.Origin == origin && l.Continues(known.Checkpoint) == nil {
		return l.Head(), l.Head(), nil
	}
	return l.Head(), *known, nil
}

// anchored is the checkpoint that an anchor holds, of whichever of the
// instance's logs; nil without one.
func anchored(d *Directory, logKey *evidence.SigningKey, anchor string) (*tilelog.Head, error) {
	if anchor == "" {
		return nil, nil
	}
	if err := outside(d.Path, anchor); err != nil {
		return nil, err
	}
	a, err := tilelog.OpenAnchor(anchor)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	switch {
	case a.Signed() == nil: // it may know more, on a disk that is not mounted
		return nil, fmt.Errorf("%w: %s", ErrNoAnchor, anchor)
	case len(a.Signed()) == 0:
		return nil, nil
	}
	known, err := evidence.OwnCheckpoint(a.Signed(), logKey)
	if err == nil && !isOurs(known.Origin, d.Instance) {
		err = fmt.Errorf("it is of log %s, which is not of instance %s", known.Origin, d.Instance)
	}
	if err != nil {
		return nil, fmt.Errorf("anchor %s: %w", anchor, err)
	}
	return &tilelog.Head{Checkpoint: known, Signed: a.Signed()}, nil
}

// nextOrigin names the new log. The random part keeps two copies of one
// directory, both restarted, from using one name.
func nextOrigin(d *Directory) (string, error) {
	closed, err := closedLogs(d.Path)
	random := newID()[len(idPrefix):][:10]
	return fmt.Sprintf("%s/%d-%s", firstOrigin(d.Instance), closed+2, random), err
}

// finishRestart lets a new log take the place of the old one, if one waits for
// that.
func finishRestart(data string) error {
	next, current := filepath.Join(data, nextLogDir), filepath.Join(data, logDir)
	if _, err := os.Lstat(next); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	closed, err := closedLogs(data)
	if err != nil {
		return err
	}
	err = durable.Rename(current, closedLogDir(data, closed+1))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was closed before the crash
		return err
	}
	return durable.Rename(next, current)
}

// anchorAnew makes an anchor hold the new log's first checkpoint, whatever it
// held: the restart names that.
func anchorAnew(dir string, logKey *evidence.SigningKey, origin, anchor string) error {
	l, err := evidence.OpenLog(dir, logKey, origin)
	if err != nil {
		return err
	}
	defer l.Close()
	a, err := tilelog.OpenAnchor(anchor)
	if err != nil {
		return err
	}
	return errors.Join(a.Hold(l.Head()), a.Close())
}

// checkRestart wants the log that a restart closed to end where it says.
func (e *Exporter) checkRestart(leaf []byte) error {
	r, err := evidence.ParseRestart(leaf)
	if err != nil {
		return err
	}
	kept, err := tilelog.ParseCheckpoint(r.Kept)
	if err != nil {
		return err
	}
	l, err := e.logOf(kept.Origin)
	if err == nil && !bytes.Equal(l.Head().Signed, r.Kept) {
		err = fmt.Errorf("log %s ends at size %d, and was closed at %d", kept.Origin, l.Size(), kept.Size)
	}
	return err
}
