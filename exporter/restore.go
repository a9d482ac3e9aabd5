package exporter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Restore makes a data directory, which must be new or empty, of a backup, and
// verifies all of it. It gives what the backup said of itself. Whether the
// original went on after that the directory can't know: see [RestartLog].
func Restore(ctx context.Context, t Transfer) (*Backup, error) {
	b, err := t.restore(ctx)
	if err != nil {
		return nil, fmt.Errorf("restore %s to %s: %w", t.From, t.To, err)
	}
	return b, nil
}

func (t *Transfer) restore(ctx context.Context) (*Backup, error) {
	b := &Backup{}
	text, err := os.ReadFile(filepath.Join(t.From, backupFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(t.From); err != nil {
			return nil, err
		}
		return nil, ErrNoBackup
	}
	if err == nil {
		err = json.Unmarshal(text, b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoBackup, backupFile, err)
	}
	from := &Directory{Path: t.From}
	if err := from.readFormat(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	if from.Instance != b.Instance {
		return nil, fmt.Errorf("%w: %s says %s, %s says %s", ErrNoBackup, backupFile, b.Instance, formatFile, from.Instance)
	}
	entries, err := os.ReadDir(t.To)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, ErrNotEmpty
	}
	got, err := t.carry(ctx, from)
	if err != nil {
		return nil, err
	}
	if lost := b.lacksMore(got); len(lost) > 0 || got.Entries < b.Entries {
		return nil, fmt.Errorf("%w: it has %d log entries of %d; damaged: %s", ErrNoBackup, got.Entries, b.Entries, cmp.Or(strings.Join(lost, "; "), "nothing"))
	}
	return b, t.copyFile(formatFile, formatFile, 0o600)
}

// lacksMore is what a backup lacks, as reading it has shown, and not because the
// original did.
func (b *Backup) lacksMore(read *Backup) (lost []string) {
	for _, damage := range read.Damaged {
		name, _, _ := strings.Cut(damage, ":")
		known := func(d string) bool {
			before, _, _ := strings.Cut(d, ":")
			// Those who signed since the backup before are not in its witnesses.
			return before == name || before == witnessesFile && strings.HasPrefix(name, "log ")
		}
		if !slices.ContainsFunc(b.Damaged, known) {
			lost = append(lost, damage)
		}
	}
	return lost
}
