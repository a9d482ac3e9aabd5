package tilelog

import (
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

// altered gives a path in every way in which one hash of it differs, and in
// some more.
func altered(path []tlog.Hash) (paths [][]tlog.Hash) {
	paths = append(paths, path, append(slices.Clone(path), tlog.Hash{}), nil)
	for i := range path {
		flipped := slices.Clone(path)
		flipped[i][i%len(flipped[i])] ^= 1
		paths = append(paths, flipped, slices.Delete(slices.Clone(path), i, i+1), slices.Insert(slices.Clone(path), i, path[i]))
		if i > 0 {
			swapped := slices.Clone(path)
			swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
			paths = append(paths, swapped)
		}
	}
	return paths
}

func raw(path []tlog.Hash) (hashes [][]byte) {
	for _, h := range path {
		hashes = append(hashes, h[:])
	}
	return hashes
}

// Each proof that a leaf is in a tree, sound or not, is taken by us where the
// verifiers of Tessera and of torchwood take it, and refused where they do.
func TestProofsLikeOthers(t *testing.T) {
	l, key := openTest(t, filepath.Join(t.TempDir(), "log")), ourKey(t)
	const most = 9
	grow(t, l, most)
	taken, refused := 0, 0
	for size := int64(1); size <= most; size++ {
		for index := range size {
			sound, err := proveIn(l, index, size)
			if err != nil {
				t.Fatal(err)
			}
			policy := torchwood.ThresholdPolicy(2, torchwood.SingleVerifierPolicy(key), torchwood.OriginPolicy(sound.Origin))
			for _, path := range altered(sound.Path) {
				for _, leaf := range []int64{index, index + 1} {
					for _, at := range []int64{index, index ^ 1, index + size} {
						p := *sound
						p.Path, p.Index = path, at
						hash := tlog.RecordHash(leafOf(leaf))
						ours, err := ParseProof(p.Marshal())
						if err == nil {
							err = ours.Includes(leafOf(leaf))
						}
						theirs := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(at), uint64(size), hash[:], raw(path), sound.Root[:])
						torchwoods := torchwood.VerifyProof(policy, hash, p.Marshal())
						if (err == nil) != (theirs == nil) || (err == nil) != (torchwoods == nil) {
							t.Fatalf("leaf %d at %d in %d with path %v: ours %v, Tessera's %v, torchwood's %v; want one answer", leaf, at, size, path, err, theirs, torchwoods)
						}
						if err == nil {
							taken++
						} else {
							refused++
						}
					}
				}
			}
		}
	}
	if taken < most*most/2 || refused < taken {
		t.Errorf("%d proofs were taken and %d refused, want many of both", taken, refused)
	}
}

// The same of proofs that a tree begins with another.
func TestConsistencyLikeOthers(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	const most = 9
	grow(t, l, most)
	for size := int64(1); size <= most; size++ {
		for old := int64(1); old <= size; old++ {
			sound, err := consistentTo(l, old, size)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range altered(sound.Path) {
				for _, root := range []tlog.Hash{rootOf(0, old), rootOf(0, size), {}} {
					for _, from := range []int64{old, old + 1, max(old-1, 1)} {
						c := *sound
						c.Path, c.Old = path, from
						ours, err := ParseConsistency(c.Marshal())
						if err == nil {
							err = ours.Extends(Checkpoint{Origin: c.Origin, Size: from, Root: root})
						}
						theirs := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(from), uint64(size), raw(path), root[:], sound.Root[:])
						if (err == nil) != (theirs == nil) {
							t.Fatalf("%d to %d from root %s with path %v: ours %v, Tessera's %v; want one answer", from, size, root, path, err, theirs)
						}
					}
				}
			}
		}
	}
}
