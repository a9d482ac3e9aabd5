package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"licensekit/exporter/evidence/tilelog"
)

// restartSteps are what a reviewer makes sure of who pins the key of a log that
// follows another.
var restartSteps = []step{
	{1, "restart", (*check).readRestart},
	{2, "signature", (*check).checkRestartSignature},
	{3, "log", (*check).checkRestartProof},
	{4, "checkpoint", (*check).checkCheckpoint},
	{5, "closed log", (*check).checkClosedLog},
}

// VerifyRestart checks the first leaf of a log that follows another: a line
// that is the leaf, then its proof, as licensekit log prove --entry 0 prints
// them. It must be signed by a pinned export key, stand at index 0 of a pinned
// log with the key that it names, and close the other log no earlier than at
// the checkpoint that was kept of that. Errors are as those of [Verify].
func VerifyRestart(ctx context.Context, text []byte, trust Trust) (*Result, error) {
	trust.Policy = nil // it is about exports
	c, err := newCheck(ctx, io.NewSectionReader(strings.NewReader(""), 0, 0), trust)
	if err != nil {
		return nil, fmt.Errorf("verify restart: %w", err)
	}
	c.text = text
	result, err := c.walk(restartSteps)
	if err != nil {
		return nil, fmt.Errorf("verify restart: %w", err)
	}
	return result, nil
}

func (c *check) readRestart() (string, error) {
	leaf, proof, found := bytes.Cut(c.text, []byte("\n"))
	if !found {
		return "", errors.New("want a line with the entry, and its proof behind it")
	}
	r, err := ParseRestart(leaf)
	if err != nil {
		return "", err
	}
	c.restart, c.text, c.proofText = r, leaf, proof
	return fmt.Sprintf("log %s follows log %s", r.New.Origin(), r.Closed.Origin()), nil
}

func (c *check) checkRestartSignature() (string, error) {
	if len(c.trust.Keys) == 0 {
		return "", notRun("no key was pinned, so nothing vouches for the restart")
	}
	var pinned []string
	for _, key := range c.trust.Keys {
		if c.restart.Check(key) == nil {
			c.anchored = true
			return "by the pinned key " + key.ID(), nil
		}
		pinned = append(pinned, key.ID())
	}
	return "", &mismatch{"the key that signed", "the pinned " + strings.Join(pinned, " or "), c.restart.KeyID}
}

// checkRestartProof (3) wants the leaf to be the first of the log that it says
// it begins, with the key that it names.
func (c *check) checkRestartProof() (string, error) {
	proof, err := tilelog.ParseProof(c.proofText)
	if err != nil {
		return "", err
	}
	if err := placed(proof, &LogPosition{Origin: c.restart.New.Origin()}, c.text); err != nil {
		return "", err
	}
	if len(c.trust.LogKeys) == 0 {
		return "", notRun("no log key is pinned, so nothing vouches for the checkpoint that the proof leads to")
	}
	key, err := c.signedByLog(proof.Signed, proof.Origin)
	if err == nil {
		err = sameText("key of the new log", key.String(), c.restart.New.String())
	}
	if err != nil {
		return "", err
	}
	c.proof, c.logKey = proof, key
	return fmt.Sprintf("entry 0 of %s, in the tree of %d", proof.Origin, proof.Size), nil
}

// checkClosedLog (5) compares what the restart says of the log that it closed
// with what was kept of that.
func (c *check) checkClosedLog() (string, error) {
	closed := c.restart.Closed
	i := slices.IndexFunc(c.trust.LogKeys, func(k LogKey) bool { return k.Origin() == closed.Origin() })
	if i < 0 {
		return "", notRun(fmt.Sprintf("no key of log %s is pinned", closed.Origin()))
	}
	if !slices.ContainsFunc(c.trust.LogKeys, func(k LogKey) bool { return k.String() == closed.String() }) {
		return "", &mismatch{"key of the closed log", c.trust.LogKeys[i].String(), closed.String()}
	}
	last := c.last[closed.Origin()]
	if last == nil {
		return "", notRun(fmt.Sprintf("no checkpoint of log %s was kept", closed.Origin()))
	}
	c.logKey = &closed
	return c.closes(*last)
}

// closes wants the closed log to end no earlier than what was kept of it.
func (c *check) closes(last tilelog.Head) (string, error) {
	kept, err := tilelog.ParseHead(c.restart.Kept)
	if err != nil {
		return "", err
	}
	newest, err := tilelog.ParseHead(c.restart.Last)
	if err != nil {
		return "", err
	}
	if newest.Origin != kept.Origin { // the copy that was restored had missed whole logs
		newest = kept
	}
	for _, said := range []tilelog.Head{kept, newest} {
		if err := c.forked(last, said); err != nil {
			return "", err
		}
	}
	says := fmt.Sprintf("closed at size %d, last known at %d; kept was %d", kept.Size, newest.Size, last.Size)
	switch {
	case last.Size <= kept.Size:
		return says, c.consistent(last, kept)
	case last.Size > newest.Size:
		return "", &mismatch{"the last known size of log " + kept.Origin, fmt.Sprintf("at least %d, which was kept", last.Size), fmt.Sprint(newest.Size)}
	case last.Size < newest.Size:
		return "", notRun(says + "; what lies between was lost with the directory, so nothing can be proven of it")
	}
	return says + ", and was lost with the directory", nil
}
