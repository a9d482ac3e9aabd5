package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/evidence/witness"
)

// Input is what is verified: a bundle, or an artifact with the manifest and
// the signature that came with it.
type Input struct {
	Bundle *io.SectionReader // if nil, the three others count

	Artifact  *io.SectionReader
	Manifest  []byte
	Signature []byte
	Proof     []byte // the log's; may be missing

	Each func(Step) // is told of each step once it has ended; may be nil
}

// Trust is what the reviewer knows from elsewhere. Nothing in a bundle ever
// adds to it.
type Trust struct {
	Keys    []PublicKey // pinned; those [ForExport] may vouch for manifests
	LogKeys []LogKey    // pinned; they may vouch for checkpoints
	// Last are the newest checkpoints that were found good before, signed: one
	// for each log of which there was any.
	Last [][]byte
	// Consistency are proofs between Last and the checkpoints of bundles, as
	// [tilelog.Consistency] encodes them. They need no trust.
	Consistency [][]byte
	// Policy says whose cosignatures a checkpoint must bear; nil if nobody's.
	// The logs that it names are pinned by it.
	Policy *witness.Policy
}

// check is a verification under way.
type check struct {
	input     Input
	trust     Trust
	source    *source
	bundle    *bundle // nil where there is none
	manifest  *Manifest
	text      []byte // the manifest's bytes
	signature []byte
	proofText []byte
	anchored  bool // a pinned key signed the manifest
	retold    bool // the artifact decodes to the data.json that was hashed

	proof  *tilelog.Proof           // once it was read
	logKey *LogKey                  // the pinned one that signed the proof's checkpoint
	last   map[string]*tilelog.Head // trust.Last, read, by origin
	keep   [][]byte                 // the checkpoints to keep from now on
	fork   *ForkEvidence

	restart *Restart             // that is verified
	request []byte               // that a witness is to sign
	growth  *tilelog.Consistency // the request, read
}

// step is a check by name. It gives a detail for people, or an error: notRun
// where it does not apply, unable where there can be no verdict, any other
// where what was checked is wrong.
type step struct {
	number int
	name   string
	run    func(*check) (detail string, err error)
}

// steps are in the order in which they run. Each relies on those before it.
var steps = []step{
	{1, "zip", (*check).zip},
	{2, "manifest", (*check).readManifest},
	{3, "signature", (*check).checkSignature},
	{4, "artifact", (*check).checkArtifact},
	{5, "data", (*check).checkData},
	{6, "log", (*check).checkLog},
	{7, "checkpoint", (*check).checkCheckpoint},
	{8, "content", (*check).checkContent},
	{9, "pages", (*check).checkPages},
	{10, "witnesses", (*check).checkWitnesses},
}

// notRun says why a step does not apply.
type notRun string

func (n notRun) Error() string { return string(n) }

// Verify checks an export against what the reviewer trusts, step by step, up
// to the first step that fails. An error means that it could not be checked (a
// file could not be read, ctx ended); whatever is wrong with the bytes is a
// Result. Memory does not grow with the input, as far as the artifact's
// decoder allows.
func Verify(ctx context.Context, input Input, trust Trust) (*Result, error) {
	file := input.Bundle
	if file == nil {
		file = input.Artifact
	}
	if file == nil {
		return nil, errors.New("verify: neither a bundle nor an artifact was given")
	}
	c, err := newCheck(ctx, file, trust)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	c.input = input
	result, err := c.walk(steps)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if result.Verdict == Verified || result.Verdict == Unanchored {
		result.Manifest, result.Statement = c.manifest, c.text
	}
	return result, nil
}

// newCheck begins a verification of a file by what the reviewer trusts.
func newCheck(ctx context.Context, file *io.SectionReader, trust Trust) (*check, error) {
	trust, err := trust.pinPolicy()
	if err != nil {
		return nil, err
	}
	c := &check{trust: trust, source: &source{ctx: ctx, file: file}}
	if err := c.readLast(); err != nil {
		return nil, fmt.Errorf("the checkpoint that was kept: %w", err)
	}
	return c, nil
}

// walk takes the steps up to the first that fails, and concludes from them.
func (c *check) walk(steps []step) (*Result, error) {
	result := &Result{}
	for _, s := range steps {
		taken, err := c.take(s, result.Failed())
		if err = errors.Join(c.source.failure(), err); err != nil {
			return nil, fmt.Errorf("step %d (%s): %w", s.number, s.name, err)
		}
		result.Steps = append(result.Steps, taken)
		if c.input.Each != nil {
			c.input.Each(taken)
		}
	}
	switch {
	case c.fork != nil:
		result.Verdict, result.Fork = Fork, c.fork
	case result.Failed() != nil:
		result.Verdict = Invalid
	case c.anchored:
		result.Verdict, result.Checkpoints = Verified, c.keep
	default:
		result.Verdict = Unanchored
	}
	return result, nil
}

// take runs a step, unless one before it failed.
func (c *check) take(s step, failed *Step) (Step, error) {
	taken := Step{Number: s.number, Name: s.name, Outcome: NotRun}
	if failed != nil {
		taken.Detail = fmt.Sprintf("step %d (%s) failed before it", failed.Number, failed.Name)
		return taken, nil
	}
	detail, err := s.run(c)
	if err == nil {
		taken.Outcome, taken.Detail = Passed, detail
		return taken, nil
	}
	if _, no := errors.AsType[unable](err); no {
		return taken, err
	}
	taken.Detail = err.Error()
	if _, skipped := errors.AsType[notRun](err); !skipped {
		taken.Outcome = Failed
	}
	if m, ok := errors.AsType[*mismatch](err); ok {
		taken.Expected, taken.Found = m.want, m.found
		taken.Detail = strings.TrimSuffix(taken.Detail, m.comparison())
	}
	return taken, nil
}
