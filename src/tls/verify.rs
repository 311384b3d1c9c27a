//! What the verdict about a server's certificate means.

use super::time::BUILD_DATE;
use crate::error::{Failure, Status};
use mbed_cloud_connectivity_mbedtls::VerifyFlags;

/// The verdict where no clock was ever set: what had expired when the library was built has expired, and nothing is too new.
pub(super) fn without_a_clock(flags_at: impl Fn(i64) -> VerifyFlags) -> VerifyFlags {
    flags_at(BUILD_DATE).without(VerifyFlags::BADCERT_FUTURE | VerifyFlags::BADCRL_FUTURE)
}

/// The reason that tells most: a certificate that nobody trusts says nothing by its other faults.
pub(super) fn failure(flags: VerifyFlags) -> Failure {
    let reasons = [
        (VerifyFlags::BADCERT_REVOKED, Status::CertificateRevoked),
        (VerifyFlags::BADCERT_NOT_TRUSTED, Status::CertificateUntrusted),
        (VerifyFlags::BADCERT_CN_MISMATCH, Status::CertificateName),
        (VerifyFlags::BADCERT_EXPIRED, Status::CertificateExpired),
        (VerifyFlags::BADCERT_FUTURE, Status::CertificateFuture),
    ];
    let status = reasons.iter().find(|(flag, _)| flags.contains(*flag)).map(|(_, status)| *status);
    let detail = i32::try_from(flags.bits()).unwrap_or(-1);
    Failure::with_detail(status.unwrap_or(Status::CertificateRejected), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_its_status_and_keeps_its_flags() {
        let name = VerifyFlags::BADCERT_CN_MISMATCH;
        assert_eq!(failure(name), Failure::with_detail(Status::CertificateName, 4));
        assert_eq!(failure(name | VerifyFlags::BADCERT_NOT_TRUSTED).status, Status::CertificateUntrusted);
        assert_eq!(failure(VerifyFlags::BADCERT_EXPIRED).status, Status::CertificateExpired);
        assert_eq!(failure(VerifyFlags::BADCERT_FUTURE).status, Status::CertificateFuture);
        assert_eq!(failure(VerifyFlags::BADCERT_REVOKED | name).status, Status::CertificateRevoked);
        assert_eq!(failure(VerifyFlags::BADCERT_BAD_KEY), Failure::with_detail(Status::CertificateRejected, 0x1_0000));
    }
}
