// Package faults holds tests only: they build the program, run it as its users
// do, let something go wrong, and look at what is left.
//
// # What goes wrong
//
//   - kill -9 at random instants of load and of start (kill_test.go)
//   - the power fails (power_test.go). A run is traced by strace, and replayed on
//     a model of a disk (medium_test.go) up to some moment; of what was not
//     synced then, names and data survive in parts, as luck has it
//     (luck_test.go), and what a client was told must be there from the moment on
//     at which its answer was begun. With syncs that do nothing the same test
//     must see losses
//   - a system call that ends in EIO or ENOSPC, a full disk, a read-only one
//     (disk_test.go)
//   - a bit that flips at rest, or under a server (rot_test.go)
//   - many clients, some of which hang up, and stops under load (soak_test.go)
//   - a copy that is taken while the original is in use, by cp, tar, rsync and a
//     slow reader (copies_test.go); for that the program is also built without
//     what keeps copies whole, and must then be seen to lose something
//
// # What is looked for
//
// Everything that clients were told is kept in a [book]. After each fault the
// program must start again, and the book must agree with what it answers:
//
//   - each activity and each record is there with the same content: sent again,
//     it is a duplicate
//   - each export that was accepted becomes ready or says why not, and one that
//     was ready has the digests that it had, and its artifact hashes to them
//   - each token opens what it did, each revoked one nothing, each public key is
//     shown
//   - each of these has its event, and events and places in the log have no gaps
//   - every file of the blob store hashes to its name, and licensekit check finds
//     nothing
//
// What was under way and got no answer may be there or not, whole: it is sent
// again, and must then be accepted or be a duplicate, never a conflict.
package faults
