package server

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"licensekit/auth"
	"licensekit/exporter/evidence"
)

// publishedKey is a key as a client sees it.
type publishedKey struct {
	KID, Status, Purpose, PEM string
	VerifierKey               string `json:"verifier_key"`
}

func (s *site) publicKeyList(t testing.TB) (keys []publishedKey) {
	t.Helper()
	s.do(t, call{method: "GET", path: "/api/v1/system/public-keys"}).into(t, 200, &keys)
	return keys
}

// rotate replaces the export key over the API.
func (s *site) rotate(t testing.TB) (keys []publishedKey) {
	t.Helper()
	s.do(t, call{method: "POST", path: "/api/v1/system/keys/rotate", token: s.token(t, auth.Admin)}).into(t, 200, &keys)
	return keys
}

// trustIn pins one export key and the log's.
func trustIn(t testing.TB, export, log publishedKey) evidence.Trust {
	t.Helper()
	key, err := evidence.ParsePublicKey(evidence.ForExport, []byte(export.PEM))
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := evidence.ParseLogKey([]byte(log.VerifierKey))
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Trust{Keys: []evidence.PublicKey{key}, LogKeys: []evidence.LogKey{logKey}}
}

// verdict verifies an export's bundle as a reviewer does.
func (s *site) verdict(t testing.TB, x exportData, trust evidence.Trust) evidence.Verdict {
	t.Helper()
	bundle := s.get(t, exportsPath+"/"+x.ID+"/bundle").body
	input := evidence.Input{Bundle: io.NewSectionReader(bytes.NewReader(bundle), 0, int64(len(bundle)))}
	result, err := evidence.Verify(t.Context(), input, trust)
	if err != nil {
		t.Fatal(err)
	}
	return result.Verdict
}

// A rotation amid exports: each bundle verifies under the key that its export
// names and under no other, and the log has exports and rotation without a gap.
func TestRotateAmidExports(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	before := s.publicKeyList(t)
	const clients, each = 4, 6
	exports := make([]exportData, clients*each)
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for i := range each {
				x := &exports[client*each+i]
				s.create(t, fmt.Sprintf(`{"report_kind":"usage-summary","filters":{"customer_id":"c%d"}}`, i)).into(t, 201, x)
			}
		})
	}
	eventually(t, "some exports are made", func() bool { return s.exports.Log().Size() >= clients })
	after := s.rotate(t)
	group.Wait()
	exports = append(exports, s.ready(t, jsonExport))

	old, log := before[0], before[1]
	if len(after) != 3 || after[0].KID == old.KID || after[0].Status != "active" || after[1] != log || after[2].KID != old.KID || after[2].Status != "retired" {
		t.Fatalf("keys after the rotation %v; want a new one, the log's, and the old one %s retired", after, old.KID)
	}
	trust := map[string]evidence.Trust{old.KID: trustIn(t, old, log), after[0].KID: trustIn(t, after[0], log)}
	if got := exports[len(exports)-1].KeyID; got != after[0].KID {
		t.Errorf("an export after the rotation is signed by %s, want %s", got, after[0].KID)
	}
	signers := map[string]int{}
	var indexes []int64
	for _, x := range exports {
		for kid, trust := range trust {
			want := evidence.Invalid
			if kid == x.KeyID {
				want = evidence.Verified
			}
			if got := s.verdict(t, x, trust); got != want {
				t.Errorf("export %s, signed by %s: verdict under %s is %s, want %s", x.ID, x.KeyID, kid, got, want)
			}
		}
		signers[x.KeyID]++
		indexes = append(indexes, *x.LogIndex)
	}
	if signers[old.KID] == 0 {
		t.Errorf("signers %v; want exports by the old key %s too", signers, old.KID)
	}
	s.wantNoGaps(t, indexes, old.KID, after[0].KID)
	s.wantSound(t)
}

// wantNoGaps checks that the log holds the exports and, at the one index that
// is none of theirs, the rotation.
func (s *site) wantNoGaps(t *testing.T, indexes []int64, old, new string) {
	t.Helper()
	slices.Sort(indexes)
	missing := slices.IndexFunc(indexes, func(index int64) bool { _, at := slices.BinarySearch(indexes, index-1); return index > 0 && !at })
	if missing < 0 || int64(len(indexes))+1 != s.checkpoint(t).Size || len(slices.Compact(indexes)) != len(indexes) {
		t.Fatalf("log indexes %v in a log of %d; want all but one, each once", indexes, s.checkpoint(t).Size)
	}
	rotation := indexes[missing] - 1
	leaf, err := s.exports.Log().Entry(rotation)
	if err != nil {
		t.Fatal(err)
	}
	got, err := evidence.ParseRotation(leaf)
	if err != nil || got.Old.ID() != old || got.New.ID() != new {
		t.Errorf("entry %d is %s (%v), want the rotation from %s to %s", rotation, leaf, err, old, new)
	}
}
