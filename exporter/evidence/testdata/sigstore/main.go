// Command sigstore checks a bundle as cosign verify-blob-attestation --key does
// with --insecure-ignore-tlog: with the same library, sigstore-go, and the same
// options. It is a module of its own, so that the program that it checks needs
// none of this.
//
//	sigstore KEY.pem BUNDLE TYPE ARTIFACT
package main

import (
	"crypto"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: sigstore KEY.pem BUNDLE TYPE ARTIFACT")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "sigstore:", err)
		os.Exit(1)
	}
	fmt.Println("Verified OK")
}

func check(keyFile, bundleFile, wantType, artifactFile string) error {
	key, err := signature.LoadVerifierFromPEMFile(keyFile, crypto.SHA256)
	if err != nil {
		return err
	}
	pinned := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(key, time.Time{}, time.Time{}), nil
	})
	verifier, err := verify.NewVerifier(pinned, verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	b, err := bundle.LoadJSONFromPath(bundleFile)
	if err != nil {
		return err
	}
	artifact, err := os.Open(artifactFile)
	if err != nil {
		return err
	}
	defer artifact.Close()
	result, err := verifier.Verify(b, verify.NewPolicy(verify.WithArtifact(artifact), verify.WithKey()))
	if err != nil {
		return err
	}
	if got := result.Statement.GetPredicateType(); got != wantType {
		return fmt.Errorf("predicate type %s, want %s", got, wantType)
	}
	return nil
}
