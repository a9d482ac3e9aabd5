package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"licensekit/auth"
	"licensekit/exporter/evidence/tilelog"
)

const logPath = "/api/v1/log/"

// public asks for something of the log without a token.
func (s *site) public(t testing.TB, path string) answer {
	t.Helper()
	return s.do(t, call{method: "GET", path: logPath + path})
}

// checkpoint reads the newest checkpoint, which the published key must have signed.
func (s *site) checkpoint(t testing.TB) tilelog.Checkpoint {
	t.Helper()
	a := s.public(t, "checkpoint").saying(t, "Content-Type", "text/plain; charset=utf-8").saying(t, "Cache-Control", "no-store")
	c, err := tilelog.VerifyCheckpoint(a.body, s.logVerifier(t))
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return c
}

func (s *site) logVerifier(t testing.TB) note.Verifier {
	t.Helper()
	for _, key := range s.publicKeyList(t) {
		if key.Purpose == "log" {
			verifier, err := note.NewVerifier(key.VerifierKey)
			if err != nil {
				t.Fatalf("verifier key %q: %v", key.VerifierKey, err)
			}
			return verifier
		}
	}
	t.Fatal("the public keys have none of a log")
	return nil
}

// logged gives a site whose log has a full tile and some more: a few exports,
// and for the rest entries of nobody's.
func logged(t *testing.T) (s *site, exports []exportData) {
	t.Helper()
	s = newSite(t)
	for range 3 {
		exports = append(exports, s.ready(t, jsonExport))
	}
	for s.exports.Log().Size() < 256+4 {
		if _, err := s.exports.Log().Append(t.Context(), func(index int64) ([]byte, error) { return fmt.Appendf(nil, "entry %d", index), nil }); err != nil {
			t.Fatal(err)
		}
	}
	return s, exports
}

func TestLog(t *testing.T) {
	t.Parallel()
	s, exports := logged(t)
	t.Run("hash tiles", s.testHashTiles)
	t.Run("entries", func(t *testing.T) { s.testEntries(t, exports) })
	t.Run("no tiles", s.testNoTiles)
	t.Run("ranges", s.testTileRanges)
	t.Run("consistency", s.testConsistency)
	t.Run("proofs", func(t *testing.T) { s.testProofs(t, exports) })
	t.Run("it grows", s.testLogGrows)
}

// The public tiles are the tree that the checkpoint is about.
func (s *site) testHashTiles(t *testing.T) {
	tree := s.checkpoint(t)
	var hashes []tlog.Hash
	for name, width := range map[string]int{"0/000": 256, "0/001.p/4": 4, "1/000.p/1": 1, "0/000.p/7": 7} {
		a := s.public(t, "tile/"+name).saying(t, "Content-Type", "application/octet-stream").saying(t, "Cache-Control", "public, max-age=31536000, immutable").
			saying(t, "Content-Length", fmt.Sprint(32*width))
		if len(a.body) != 32*width {
			t.Fatalf("tile %s has %d bytes, want %d", name, len(a.body), 32*width)
		}
		if name == "0/000" {
			hashes = append(sums(a.body), hashes...)
		} else if name == "0/001.p/4" {
			hashes = append(hashes, sums(a.body)...)
		}
	}
	if got := root(t, hashes); got != tree.Root || tree.Size != int64(len(hashes)) {
		t.Errorf("the tiles' tree of %d has the root %v, the checkpoint says %d and %v", len(hashes), got, tree.Size, tree.Root)
	}
}

func sums(tile []byte) (hashes []tlog.Hash) {
	for part := range slices.Chunk(tile, tlog.HashSize) {
		hashes = append(hashes, tlog.Hash(part))
	}
	return hashes
}

// root computes a tree's root as RFC 6962 defines it.
func root(t *testing.T, hashes []tlog.Hash) tlog.Hash {
	t.Helper()
	if len(hashes) == 1 {
		return hashes[0]
	}
	split := 1
	for split*2 < len(hashes) {
		split *= 2
	}
	left, right := root(t, hashes[:split]), root(t, hashes[split:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

// Entries tell who exports what, so no proxy may share them.
func (s *site) testEntries(t *testing.T, exports []exportData) {
	for _, path := range []string{"tile/entries/000", "tile/entries/000.p/3", "tile/entries/999", "tile/entries/nonsense"} {
		s.public(t, path).want(t, 401, "UNAUTHORIZED")
		for _, scope := range []auth.Scope{auth.ReportRead, auth.ReportWrite} {
			s.do(t, call{method: "GET", path: logPath + path, token: s.token(t, scope)}).want(t, 403, "TOKEN_SCOPE_DENIED").detail(t, "requires report:export")
		}
	}
	head := s.do(t, call{method: "HEAD", path: logPath + "tile/entries/000"})
	if head.status != 401 || head.header.Get("Content-Length") != "" && head.header.Get("Content-Length") == fmt.Sprint(len(s.get(t, logPath+"tile/entries/000").body)) {
		t.Errorf("%s with Content-Length %q; want 401 and not the tile's length", head, head.header.Get("Content-Length"))
	}
	a := s.get(t, logPath+"tile/entries/000").saying(t, "Cache-Control", "private, max-age=31536000, immutable").saying(t, "Content-Type", "application/octet-stream")
	leaves := splitEntries(t, a)
	if len(leaves) != 256 {
		t.Fatalf("the first tile has %d entries, want 256", len(leaves))
	}
	for _, x := range exports {
		if got, want := leaves[*x.LogIndex], inZip(t, s.get(t, exportsPath+"/"+x.ID+"/bundle").body, "manifest.json"); string(got) != string(want) {
			t.Errorf("entry %d is %s, want the manifest of %s: %s", *x.LogIndex, got, x.ID, want)
		}
	}
	if got := splitEntries(t, s.get(t, logPath+"tile/entries/001.p/4")); len(got) != 4 || string(got[3]) != "entry 259" {
		t.Errorf("the last tile has the entries %s, want 4 up to 259", got)
	}
}

// splitEntries takes a tile of entries apart.
func splitEntries(t *testing.T, a answer) (leaves [][]byte) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%s; want status 200", a)
	}
	for rest := a.body; len(rest) > 0; {
		n := int(binary.BigEndian.Uint16(rest))
		leaves = append(leaves, rest[2:2+n])
		rest = rest[2+n:]
	}
	return leaves
}

func (s *site) testNoTiles(t *testing.T) {
	for _, name := range []string{
		"0/001", "0/001.p/5", "0/001.p/0", "0/000.p/256", "0/002", "1/000", "1/000.p/2", "6/000", "-1/000", "00/000", "0/0", "0/x000/000", "0/1", "0/",
		"data/000", "0/../../checkpoint", "0/000/", "0/000.p/", "0/000.p/01", "8/0/000", "0/..%2f..%2fcheckpoint", "checkpoint/x",
	} {
		a := s.raw(t, "GET", logPath+"tile/"+name)
		if a.status != 404 {
			t.Errorf("tile %s: %s; want status 404", name, a)
		}
		a.saying(t, "Cache-Control", "no-store")
	}
	s.get(t, logPath+"tile/entries/001").want(t, 404, "NOT_FOUND")
	s.get(t, logPath+"tile/entries/001.p/5").want(t, 404, "NOT_FOUND")
}

func (s *site) testTileRanges(t *testing.T) {
	path := logPath + "tile/0/000"
	whole := s.do(t, call{method: "GET", path: path})
	part := s.do(t, call{method: "GET", path: path, header: map[string]string{"Range": "bytes=32-63"}}).saying(t, "Content-Range", "bytes 32-63/8192")
	if part.status != 206 || string(part.body) != string(whole.body[32:64]) {
		t.Errorf("%s; want the second hash", part)
	}
	s.do(t, call{method: "GET", path: path, header: map[string]string{"Range": "bytes=9000-"}}).want(t, 416, "RANGE_NOT_SATISFIABLE").saying(t, "Content-Range", "bytes */8192")
}

// A proof leads from any size to any later one.
func (s *site) testConsistency(t *testing.T) {
	now := s.checkpoint(t)
	at := func(size int) tilelog.Checkpoint {
		t.Helper()
		c, err := tilelog.ParseConsistency(s.public(t, fmt.Sprintf("consistency?from=0&to=%d", size)).body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tilelog.VerifyCheckpoint(c.Signed, s.logVerifier(t)); err != nil {
			t.Errorf("the checkpoint of size %d: %v", size, err)
		}
		return c.Checkpoint
	}
	for _, sizes := range [][2]int{{0, 1}, {1, 2}, {3, 7}, {7, 256}, {255, 257}, {256, 260}, {259, 260}, {260, 260}, {1, 1}} {
		a := s.public(t, fmt.Sprintf("consistency?from=%d&to=%d", sizes[0], sizes[1])).saying(t, "Content-Type", "text/plain; charset=utf-8")
		c, err := tilelog.ParseConsistency(a.body)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		if err := c.Extends(at(sizes[0])); err != nil || c.Size != int64(sizes[1]) {
			t.Errorf("%s: %v; want a proof to size %d", a, err, sizes[1])
		}
	}
	open, err := tilelog.ParseConsistency(s.public(t, "consistency?from=3").body)
	if err != nil || open.Checkpoint != now {
		t.Errorf("without to the proof ends at %v (%v), want the newest checkpoint %v", open.Checkpoint, err, now)
	}
	for _, query := range []string{"", "?to=3", "?from=", "?from=x", "?from=-1", "?from=261", "?from=3&to=261", "?from=4&to=3", "?from=1&to=", "?from=1&to=1.0", "?from=1&size=3", "?from=1&from=2", "?from=9223372036854775808"} {
		s.public(t, "consistency"+query).want(t, 400, "INVALID_QUERY")
	}
}

// A proof of inclusion holds for the entry that it names, and no other.
func (s *site) testProofs(t *testing.T, exports []exportData) {
	for _, x := range exports {
		a := s.get(t, logPath+fmt.Sprintf("proof/%d", *x.LogIndex)).saying(t, "Content-Type", "text/plain; charset=utf-8")
		proof, err := tilelog.ParseProof(a.body)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		manifest := inZip(t, s.get(t, exportsPath+"/"+x.ID+"/bundle").body, "manifest.json")
		if err := proof.Includes(manifest); err != nil || proof.Checkpoint != s.checkpoint(t) || proof.Index != *x.LogIndex {
			t.Errorf("%s: %v, index %d, checkpoint %v; want the manifest of %s in the newest", a, err, proof.Index, proof.Checkpoint, x.ID)
		}
		if err := proof.Includes(append(manifest, ' ')); err == nil {
			t.Errorf("%s proves another entry, too", a)
		}
	}
	for _, index := range []string{"260", "-1", "x", "1.0", "9223372036854775808", "%20"} {
		s.get(t, logPath+"proof/"+index).want(t, 404, "NOT_FOUND").detail(t, "260 entries")
	}
	s.public(t, "proof/0").want(t, 401, "UNAUTHORIZED")
	s.look(t, logPath+"proof/0").want(t, 403, "TOKEN_SCOPE_DENIED").detail(t, "requires report:export")
}

// Whoever kept a checkpoint can tell that a later log continues it, and a tile
// that was named before is there for a while.
func (s *site) testLogGrows(t *testing.T) {
	old := s.checkpoint(t)
	x := s.ready(t, jsonExport)
	if *x.LogIndex != old.Size || x.LogOrigin != old.Origin {
		t.Errorf("the export is %d of log %q, want %d of %s", *x.LogIndex, x.LogOrigin, old.Size, old.Origin)
	}
	c, err := tilelog.ParseConsistency(s.public(t, fmt.Sprintf("consistency?from=%d", old.Size)).body)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Extends(old); err != nil || c.Size != old.Size+1 {
		t.Errorf("the log of %d does not continue that of %d: %v", c.Size, old.Size, err)
	}
	if a := s.public(t, "tile/0/001.p/4"); a.status != 200 {
		t.Errorf("%s; want the tile that was the last before", a)
	}
}

// An empty log has a checkpoint, and nothing to prove.
func TestEmptyLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	empty := sha256.Sum256(nil)
	if got := s.checkpoint(t); got.Size != 0 || got.Root.String() != base64.StdEncoding.EncodeToString(empty[:]) {
		t.Errorf("checkpoint %v, want the empty tree's", got)
	}
	if a := s.public(t, "consistency?from=0"); a.status != 200 {
		t.Errorf("%s; want status 200", a)
	}
	s.get(t, logPath+"proof/0").want(t, 404, "NOT_FOUND").detail(t, "0 entries")
	s.public(t, "tile/0/000").want(t, 404, "NOT_FOUND")
}
