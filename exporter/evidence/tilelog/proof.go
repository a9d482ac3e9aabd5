package tilelog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxProof bounds the text of a proof, in bytes.
const MaxProof = MaxCheckpoint + 8<<10

// maxPath bounds the hashes of a proof; more no tree of [MaxSize] needs.
const maxPath = 63

const proofHeader = "c2sp.org/tlog-proof@v1\n"

// Proof says that a leaf is in the tree of a checkpoint. Who holds one knows
// nothing yet of who signed the checkpoint, nor which leaf is meant.
type Proof struct {
	Index  int64
	Path   []tlog.Hash // from the leaf's sibling up
	Signed []byte      // the checkpoint with its signatures
	Checkpoint
}

// Marshal gives the proof's only encoding, a C2SP tlog-proof.
func (p *Proof) Marshal() []byte {
	return append([]byte(proofHeader), pathText("index", p.Index, p.Path, p.Signed)...)
}

// ParseProof reads what [Proof.Marshal] writes and nothing else.
func ParseProof(text []byte) (*Proof, error) {
	p, err := parseProof(text)
	if err != nil {
		return nil, fmt.Errorf("read proof of inclusion: %w", err)
	}
	return p, nil
}

func parseProof(text []byte) (*Proof, error) {
	rest, ok := bytes.CutPrefix(text, []byte(proofHeader))
	if !ok {
		return nil, fmt.Errorf("it does not begin with the line %q", strings.TrimSpace(proofHeader))
	}
	p := &Proof{}
	var err error
	if p.Index, p.Path, p.Signed, p.Checkpoint, err = parsePath("index", rest); err != nil {
		return nil, err
	}
	if p.Index >= p.Size {
		return nil, fmt.Errorf("index %d is beyond the tree of %d leaves", p.Index, p.Size)
	}
	return p, nil
}

// Includes tells whether the proof shows that the leaf is at its index.
func (p *Proof) Includes(leaf []byte) error {
	if err := tlog.CheckRecord(p.Path, p.Size, p.Root, p.Index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("leaf %d of %s: %w", p.Index, p.Origin, err)
	}
	return nil
}

// Consistency says that a smaller tree is the beginning of the tree of a
// checkpoint.
type Consistency struct {
	Old    int64 // the size of the smaller tree
	Path   []tlog.Hash
	Signed []byte
	Checkpoint
}

// Marshal gives the proof's only encoding, the body of an add-checkpoint
// request to a C2SP witness.
func (c *Consistency) Marshal() []byte { return pathText("old", c.Old, c.Path, c.Signed) }

// ParseConsistency reads what [Consistency.Marshal] writes and nothing else.
func ParseConsistency(text []byte) (*Consistency, error) {
	c := &Consistency{}
	var err error
	c.Old, c.Path, c.Signed, c.Checkpoint, err = parsePath("old", text)
	if err == nil && c.Old > c.Size {
		err = fmt.Errorf("old size %d is beyond the tree of %d leaves", c.Old, c.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("read proof of consistency: %w", err)
	}
	return c, nil
}

// Extends tells whether the proof shows that its tree begins with the old one.
func (c *Consistency) Extends(old Checkpoint) error {
	if old.Origin != c.Origin || old.Size != c.Old {
		return fmt.Errorf("the proof begins at size %d of %s, not at size %d of %s", c.Old, c.Origin, old.Size, old.Origin)
	}
	if c.Old == 0 { // every tree begins with the empty one
		if len(c.Path) > 0 {
			return errors.New("the proof from size 0 is not empty")
		}
		return nil
	}
	if err := tlog.CheckTree(c.Path, c.Size, c.Root, old.Size, old.Root); err != nil {
		return fmt.Errorf("size %d to %d of %s: %w", c.Old, c.Size, c.Origin, err)
	}
	return nil
}

// pathText is the form that both proofs share: a number, hashes, an empty
// line, a checkpoint.
func pathText(label string, number int64, path []tlog.Hash, signed []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d\n", label, number)
	for _, hash := range path {
		fmt.Fprintf(&b, "%s\n", hash)
	}
	b.WriteByte('\n')
	b.Write(signed)
	return b.Bytes()
}

func parsePath(label string, text []byte) (number int64, path []tlog.Hash, signed []byte, c Checkpoint, err error) {
	if len(text) > MaxProof {
		return 0, nil, nil, c, fmt.Errorf("%d bytes; the limit is %d", len(text), MaxProof)
	}
	head, signed, found := bytes.Cut(text, []byte("\n\n"))
	if !found {
		return 0, nil, nil, c, errors.New("no empty line before a checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	digits, ok := strings.CutPrefix(lines[0], label+" ")
	if !ok {
		return 0, nil, nil, c, fmt.Errorf("line %.40q; want %q and a number", lines[0], label)
	}
	if number, err = parseNumber(digits); err != nil {
		return 0, nil, nil, c, fmt.Errorf("%s: %w", label, err)
	}
	if path, err = parseHashes(lines[1:]); err != nil {
		return 0, nil, nil, c, err
	}
	if c, err = ParseCheckpoint(signed); err != nil {
		return 0, nil, nil, c, err
	}
	return number, path, bytes.Clone(signed), c, nil
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	if len(lines) > maxPath {
		return nil, fmt.Errorf("%d hashes; the limit is %d", len(lines), maxPath)
	}
	path := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err == nil && hash.String() != line {
			err = errors.New("not the one encoding of this hash")
		}
		if err != nil {
			return nil, fmt.Errorf("hash %d: %w", i, err)
		}
		path[i] = hash
	}
	return path, nil
}
