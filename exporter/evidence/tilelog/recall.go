package tilelog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrBehind says that a log lacks leaves that are known to have been in it, or
// has others in their place. It can be read, and nothing can be appended: the
// next leaf would have the index of one that others may hold.
var ErrBehind = errors.New("the log lacks entries that its key has signed")

// aheadName is the file of a checkpoint that the log's key has signed and whose
// leaves the directory lacks. It is not one of C2SP tlog-tiles.
const aheadName = "ahead"

// Recall is what is known of a log beside its own files. See [OpenRecalled].
type Recall struct {
	// Size is how many leaves are known to have been acknowledged.
	Size int64
	// Heads are signed checkpoints of the log, the likely newest first. Who
	// signed them is looked at.
	Heads iter.Seq[[]byte]
	// Leaf gives what was at an index. Errors: fs.ErrNotExist.
	Leaf func(index int64) ([]byte, error)
	// Ours tells whether a leaf, found in a tile beyond all checkpoints, can be
	// what the log has there. It is set where the directory is a copy of one in
	// use, whose log has gone on by just these leaves; nil where what is beyond
	// was left by a crash and never counted.
	Ours func(index int64, leaf []byte) bool
}

// Mended says what was not in order when a log was opened, and was mended.
type Mended struct {
	Found   int64   // the size that the checkpoint showed; -1 if there was none that can be read
	Size    int64   // the size that the log has
	PutBack []int64 // the leaves that were not in its tiles
	Signed  bool    // whether the checkpoint was signed for it, and is not one that was known
	Known   int64   // the size that it is known to have had
	Changed bool    // whether files were written, and not only was it found to lack something
}

// Mended is what was mended when the log was opened, nil if nothing was.
func (l *Log) Mended() *Mended { return l.mended }

// Behind is an [ErrBehind] if the log lacks leaves, nil if it doesn't.
func (l *Log) Behind() error { return l.behind }

// Ahead is the newest checkpoint that the log does not continue and that its key
// has signed, by its own files. Errors: fs.ErrNotExist where there is none.
func (l *Log) Ahead() (Head, error) {
	if head := l.contradicted(l.ownHeads()); head != nil {
		return *head, nil
	}
	return Head{}, fmt.Errorf("checkpoint that %s does not continue: %w", l.Origin(), fs.ErrNotExist)
}

// contradicted is the largest that the log does not continue, nil if it
// continues all.
func (l *Log) contradicted(heads []Head) *Head {
	sortHeads(heads)
	for i := range heads {
		if l.Continues(heads[i].Checkpoint) != nil {
			return &heads[i]
		}
	}
	return nil
}

// ownHeads reads the checkpoints in the log's directory, the largest first.
// What can't be read, or has another signature, is passed over.
func (l *Log) ownHeads() (heads []Head) {
	names := []string{checkpointName, aheadName}
	sizes, _ := l.CosignedSizes()
	for _, size := range sizes {
		names = append(names, cosignedName(size))
	}
	for _, name := range names {
		if signed, err := l.disk.readSmall(name); err == nil {
			heads = l.addHead(heads, signed)
		}
	}
	if l.anchor != nil {
		heads = l.addHead(heads, l.anchor.held)
	}
	sortHeads(heads)
	return heads
}

func (l *Log) addHead(heads []Head, signed []byte) []Head {
	c, err := VerifyCheckpoint(signed, l.verifier)
	if err != nil {
		return heads
	}
	return append(heads, Head{c, bytes.Clone(signed)})
}

func sortHeads(heads []Head) {
	slices.SortStableFunc(heads, func(a, b Head) int { return cmp.Compare(b.Size, a.Size) })
}

// maxRecalled is how many recalled checkpoints are looked at for the newest: all
// leaves of a batch have the same one.
const maxRecalled = maxBatch + 1

// newestRecalled is the largest of the first recalled checkpoints, in a list
// that is empty if there is none.
func (l *Log) newestRecalled() (heads []Head) {
	looked, size := 0, int64(-1)
	for signed := range l.recall.Heads {
		if looked++; looked > maxRecalled {
			break
		}
		if c, err := ParseCheckpoint(signed); err == nil && c.Size > size {
			if own := l.addHead(nil, signed); own != nil {
				heads, size = own, c.Size
			}
		}
	}
	return heads
}

// enoughRecalled is how many recalled checkpoints are tried.
const enoughRecalled = 3

// recalledWithin gives recalled checkpoints of trees that are no larger.
func (l *Log) recalledWithin(size int64) (heads []Head) {
	last := int64(-1)
	for signed := range l.recall.Heads {
		c, err := ParseCheckpoint(signed)
		if err != nil || c.Size > size || c.Size == last {
			continue
		}
		last = c.Size
		if heads = l.addHead(heads, signed); len(heads) == enoughRecalled {
			break
		}
	}
	return heads
}

// covered tells whether the log, as its checkpoint has it, has all that is
// known of it.
func (l *Log) covered() bool {
	return l.recall.Size <= l.Size() && l.contradicted(append(l.ownHeads(), l.newestRecalled()...)) == nil
}

// emptyHead signs the beginning of every log.
func (l *Log) emptyHead() (Head, error) {
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		return Head{}, err
	}
	return l.sign(Checkpoint{l.Origin(), 0, root})
}
