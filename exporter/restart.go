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
	"time"

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
// one: that of the anchor, of a witness, or of the directory. It is for a
// directory that was restored from an older copy, whose log must not go on as
// if nothing had been, and for a log whose key is to be replaced: the new log
// has a name and a key of its own, for they are what a log is to others.
//
// In this order, each step durable: the new key, the new log in tmp/, its place
// beside the old one, the old one's new name, the new one's, the new key's name
// after the old one's public half was recorded, the anchor. From the third on a
// crash is made up for when the directory is opened again. Only Keys, Anchor
// and Now of opts count.
func RestartLog(ctx context.Context, d *Directory, opts Options) (*Restarted, error) {
	r, err := restartLog(ctx, d, opts)
	if err != nil {
		return nil, fmt.Errorf("restart the log of %s: %w", d.Path, err)
	}
	return r, nil
}

func restartLog(ctx context.Context, d *Directory, opts Options) (*Restarted, error) {
	keys := cmp.Or(opts.Keys, d.Keys())
	if err := finishRestart(d.Path, keys); err != nil {
		return nil, err
	}
	if err := mendGrowing(ctx, d, keys); err != nil {
		return nil, err
	}
	kept, last, err := closing(d, keys, opts.Anchor)
	if err != nil {
		return nil, err
	}
	origin, err := nextOrigin(d)
	if err != nil {
		return nil, err
	}
	key, err := begin(ctx, d, keys, origin, evidence.Restart{
		Instance: d.Instance, Kept: kept.Signed, Last: last.Signed, At: report.Instant(opts.Now().UnixMilli()),
	}, opts.Now())
	if err != nil {
		return nil, err
	}
	if err := finishRestart(d.Path, keys); err != nil {
		return nil, err
	}
	if opts.Anchor != "" {
		err = anchorAnew(d.Log(), key, origin, opts.Anchor)
	}
	named, nameErr := evidence.NewLogKey(origin, key.Public)
	return &Restarted{Closed: kept.Checkpoint, Last: last.Checkpoint, Key: named}, errors.Join(err, nameErr)
}

// mendGrowing gives the log that is to be closed what the rest of the directory
// has of it.
func mendGrowing(ctx context.Context, d *Directory, keys string) error {
	key, err := evidence.Load(keys, evidence.ForLog)
	if err != nil {
		return err
	}
	if _, err := os.Stat(d.Log()); err != nil { // without one nothing is restarted
		return err
	}
	l, err := openGrowing(ctx, d, keys, key, "")
	if err != nil {
		return err
	}
	if m := l.Mended(); m != nil && d.copied != nil {
		d.copied.Logs = append(d.copied.Logs, mendedLog(l, m))
		err = d.writeCopied(d.copied)
	}
	return errors.Join(err, l.Close())
}

// begin makes the new log and puts it beside the old one; the rest is for
// finishRestart. It gives the new log's key.
func begin(ctx context.Context, d *Directory, keys, origin string, r evidence.Restart, now time.Time) (*evidence.SigningKey, error) {
	old, err := evidence.Load(keys, evidence.ForLog)
	if err != nil {
		return nil, err
	}
	key, err := evidence.Load(keys, evidence.ForExport)
	if err != nil {
		return nil, err
	}
	next, err := evidence.NextLogKey(keys, now)
	if err != nil {
		return nil, err
	}
	staged := filepath.Join(d.Tmp(), nextLogDir)
	if err := evidence.BeginLog(ctx, staged, origin, next, old, key, r); err != nil {
		return nil, err
	}
	return next, durable.Rename(staged, filepath.Join(d.Path, nextLogDir))
}

// closing gives the newest checkpoint of the log that is to be closed, which
// must be whole, and the newest that was signed. They differ where an anchor,
// or a witness, shows what the log does not continue.
func closing(d *Directory, keys, anchor string) (kept, last tilelog.Head, err error) {
	l, record, err := evidence.OpenClosedLog(d.Log(), keys)
	if err != nil {
		return kept, last, err
	}
	defer l.Close()
	if !isOurs(l.Origin(), d.Instance) {
		return kept, last, fmt.Errorf("it is log %s, which is not of instance %s", l.Origin(), d.Instance)
	}
	kept, last = l.Head(), l.Head()
	ahead, err := l.Ahead() // a witness has seen it, or a copy lacks what was signed
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return kept, last, err
	}
	if err == nil && ahead.Size >= last.Size {
		last = ahead
	}
	known, err := anchored(d, record, anchor)
	if err != nil || known == nil {
		return kept, last, err
	}
	if known.Origin != l.Origin() || l.Continues(known.Checkpoint) != nil && known.Size >= last.Size {
		last = *known
	}
	return kept, last, nil
}

// anchored is the checkpoint that an anchor holds, of whichever of the
// instance's logs; nil without one. That of another log than the one that is
// closed may be by a key that was lost with a newer copy of the directory.
func anchored(d *Directory, closed evidence.PublicKeyRecord, anchor string) (*tilelog.Head, error) {
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
	known, err := closed.ReadAnchor(a.Signed())
	if err == nil && !isOurs(known.Origin, d.Instance) {
		err = fmt.Errorf("it is of log %s, which is not of instance %s", known.Origin, d.Instance)
	}
	if err != nil {
		return nil, fmt.Errorf("anchor %s: %w", anchor, err)
	}
	return &known, nil
}

// nextOrigin names the new log. The random part keeps two copies of one
// directory, both restarted, from using one name.
func nextOrigin(d *Directory) (string, error) {
	closed, err := closedLogs(d.Path)
	random := newID()[len(idPrefix):][:10]
	return fmt.Sprintf("%s/%d-%s", firstOrigin(d.Instance), closed+2, random), err
}

// finishRestart lets a new log take the place of the old one, and its key that
// of the old one's, if they wait for that.
func finishRestart(data, keys string) error {
	if err := placeNextLog(data); err != nil {
		return err
	}
	return evidence.TakeNextLogKey(keys, filepath.Join(data, logDir))
}

func placeNextLog(data string) error {
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
